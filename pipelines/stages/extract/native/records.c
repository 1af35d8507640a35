/* The metadata of a page: tags that carry it, and the declared kind of page. */
#include "read.h"

int is_record(Reader *r, Tag tag, const Attributes *a) {
    switch (tag) {
    case T_html: case T_title: case T_h1: case T_time: return 1;
    case T_meta: return a->content.value_bytes > 0 && (a->name.value_bytes || a->property.value_bytes || a->itemprop.value_bytes);
    case T_link: return has_word(&a->rel, "canonical") || has_word(&a->rel, "license") || has_word(&a->rel, "author");
    case T_script: return a->type.value_bytes >= 19 && equals(a->type.value, 19, "application/ld+json");
    case T_base: return a->href.value_bytes > 0;
    case T_a:
        if (a->rel.value_bytes && has_word(&a->rel, "author")) return 1;
        if (a->rel.value_bytes && has_word(&a->rel, "license"))     /* an image or a comment, not the page */
            return !(r->page->elements.at[r->box].flags & (IN_FIGURE | IN_COMMENTS));
        break;
    default: break;
    }
    if (a->itemprop.value_bytes) {
        static const char *const props[] = {"author", "creator", "datepublished", "datecreated", "datemodified", "headline",
                                            "name", "license", "publisher", "inlanguage", NULL};
        for (int i = 0; props[i]; i++)
            if (has_word(&a->itemprop, props[i])) return 1;
    }
    Naming naming = {r, NULL, 0, 0, 0};
    if (a->class.value_bytes && a->class.value_bytes < MAX_NAME_BYTES)
        name_tokens(a->class.value, a->class.value_bytes, add_name, &naming);
    if (a->id.value_bytes && a->id.value_bytes < MAX_NAME_BYTES)
        name_tokens(a->id.value, a->id.value_bytes, add_name, &naming);
    return naming.signs;
}

int32_t add_record(Reader *r, Tag tag, const char *source, const char *end) {
    Page *page = r->page;
    if (page->records.count >= MAX_RECORDS || !RESERVE(page->records, 1)) return -1;
    int ends_block = r->has_text && (tag_flags[tag] & BOX);     /* the current block */
    page->records.at[page->records.count] =
        (Record){(uint32_t)(source - page->markup), (uint32_t)(end - source), (uint32_t)page->text.count,
                 (uint32_t)page->text.count, r->box, page->blocks.count + ends_block, (uint8_t)tag, 0};
    return page->records.count++;
}

static int contains(const char *at, size_t bytes, const char *what) {
    return find(at, at + bytes, what, strlen(what)) != NULL;
}

/* The kind of page declared by JSON-LD and OpenGraph. */
void note_linked_data(Reader *r, const char *at, const char *end) {
    int looks = 0;
    while ((at = find(at, end, "\"@type\"", 7)) != NULL && looks++ < 200) {
        const char *stop = at + 7 + 60 < end ? at + 7 + 60 : end;
        const char *close = memchr(at + 7, ',', (size_t)(stop - at - 7));
        size_t bytes = (size_t)((close ? close : stop) - at - 7);
        at += 7;
        if (contains(at, bytes, "Article\"") || contains(at, bytes, "BlogPosting\"") || contains(at, bytes, "Report"))
            r->page->about |= ABOUT_ARTICLE;
        else if (contains(at, bytes, "Product\"") || contains(at, bytes, "\"Offer")) r->page->about |= ABOUT_PRODUCT;
        else if (contains(at, bytes, "QAPage\"") || contains(at, bytes, "Forum") || contains(at, bytes, "\"Question"))
            r->page->about |= ABOUT_FORUM;
        else if (contains(at, bytes, "ItemList\"") || contains(at, bytes, "CollectionPage")) r->page->about |= ABOUT_LIST;
    }
}

void note_meta(Reader *r, const Attributes *a) {
    if (!equals(a->property.value ? a->property.value : "", a->property.value_bytes, "og:type")) return;
    r->page->about |= a->content.value_bytes >= 7 && equals(a->content.value, 7, "article") ? ABOUT_OG_ARTICLE : ABOUT_OG_OTHER;
}
