/* Lists that complete a sentence, such as "Guides in four languages:" followed by four links. The model takes most
lists of
 * links for navigation, but the sentence means nothing without its list. */
#include "model.h"
#include "read.h"

enum { MIN_WORDS = 2, MAX_WORDS = 40 };

/* Words that introduce links to other pages: "Related articles:", "Read more:". */
static void note_word(void *context, uint32_t hash, const char *at, size_t bytes) {
    static const char *const words[] = {"related", "more", "read", "also", "articles", "stories", "posts", "topics", "tags",
                                        "share", "follow", "subscribe", "popular", "recommended", "mehr", "thema", "lesen",
                                        "weitere", "lire", "aussi", "articulos", "relacionados", "leggi", "anche", "zobacz",
                                        "читайте", "также", NULL};
    (void)hash;
    for (int i = 0; words[i]; i++) *(int *)context |= equals(at, bytes, words[i]);
}

static int is_announcement(const Page *page, const Block *b) {
    int leads_away = 0;
    if (b->kind != PARAGRAPH || b->words < MIN_WORDS || b->words > MAX_WORDS || 2 * b->link_chars > b->chars) return 0;
    const char *text = page->text.at + b->text;
    int ends = b->bytes && (text[b->bytes - 1] == ':' || (b->bytes > 2 && memcmp(text + b->bytes - 3, "\uff1a", 3) == 0));
    if (!ends || b->flags & (IN_NAV | IN_ASIDE | IN_FOOTER | IN_FORM | IN_COMMENTS)) return 0;
    word_tokens(text, b->bytes, note_word, &leads_away);
    return !leads_away;
}

/* The innermost element that contains both; -1 if they are not siblings in it. */
static int32_t box_of_both(const Page *page, const Block *b, int32_t list) {
    int32_t box = page->elements.at[list].parent;
    return b->element == box || page->elements.at[b->element].parent == box ? box : -1;
}

/* Keeps the lists between a sentence that announces them and more of the same text. */
void keep_announced(const Page *page, uint8_t *kept) {
    for (int32_t i = 0; i + 1 < page->blocks.count; i++) {
        const Block *b = &page->blocks.at[i], *item = b + 1;
        if (!kept[i] || kept[i + 1] || item->kind != ITEM || item->group < 0 || !is_announcement(page, b)) continue;
        const Element *list = &page->elements.at[item->group];
        int32_t box = box_of_both(page, b, item->group), end = list->block_end;
        if (box < 0 || end >= page->elements.at[box].block_end || !kept[end]) continue;
        for (int32_t k = i + 1; k < end; k++) kept[k] = 1;
        i = end - 1;
    }
}
