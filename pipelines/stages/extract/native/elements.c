/* Elements that hold blocks: their attributes, the scores of their names, their positions in tables and lists. */
#include "read.h"

static uint32_t sign_words[8];

void names_init(void) {
    const char *signs[] = {"author", "byline", "published", "date", "posted", "time", "writer", "autor"};
    for (int i = 0; i < 8; i++) sign_words[i] = hash_bytes(signs[i], strlen(signs[i]));
}

/* Words in names of comment sections; a "commentary" is an opinion column. */
static int is_comment_word(const char *at, size_t bytes) {
    static const char *const words[] = {"disqus", "respond", "trackbacks", "pingback", "replies", NULL};
    if (bytes >= 7 && equals(at, 7, "comment")) return !(bytes >= 10 && equals(at, 10, "commentary"));
    for (int i = 0; words[i]; i++)
        if (equals(at, bytes, words[i])) return 1;
    return 0;
}

void add_name(void *context, uint32_t hash, const char *at, size_t bytes) {
    Naming *n = context;
    int score;
    for (int i = 0; i < 8; i++) n->signs |= hash == sign_words[i];
    if (n->element == NULL) return;
    n->comments |= is_comment_word(at, bytes);
    const Lexicon *lexicon = n->reader->page->name_lexicon;
    if (!lexicon_score(lexicon, hash, &score) && !lexicon_score(lexicon, prefix_hash(at, bytes), &score)) return;
    int sum = n->element->own_score + score;
    n->element->own_score = (int16_t)(sum > 3000 ? 3000 : sum < -3000 ? -3000 : sum);
    n->known++;
}

int has_word(const Attribute *a, const char *word) {
    size_t i = 0;
    while (i < a->value_bytes) {
        while (i < a->value_bytes && (uint8_t)a->value[i] <= ' ') i++;
        size_t start = i;
        while (i < a->value_bytes && (uint8_t)a->value[i] > ' ') i++;
        if (i > start && equals(a->value + start, i - start, word)) return 1;
        if (i > 2000) return 0;
    }
    return 0;
}

/* Searches for CSS without white space, such as "display:none", as in the training of the model. */
static int has_style(const Attribute *a, const char *property, const char *value) {
    char flat[400];
    size_t count = 0;
    for (size_t i = 0; i < a->value_bytes && count + 1 < sizeof flat; i++) {
        uint8_t c = (uint8_t)a->value[i];
        if (c > ' ') flat[count++] = (char)(c >= 'A' && c <= 'Z' ? c | 32 : c);
    }
    flat[count] = 0;
    const char *found = strstr(flat, property);
    return found != NULL && strncmp(found + strlen(property), value, strlen(value)) == 0;
}

void read_attributes(const char *at, const char *end, Attributes *found) {
    Attribute a;
    memset(found, 0, sizeof *found);
#define TAKE(field, word) else if (equals(a.name, a.name_bytes, word)) { if (found->field.value == NULL) found->field = a; }
    while ((at = next_attribute(at, end, &a)) != NULL) {
        if (a.name_bytes < 2 || a.name_bytes > 13) continue;
        if (0) {}
        TAKE(class, "class") TAKE(id, "id") TAKE(href, "href") TAKE(style, "style") TAKE(rel, "rel") TAKE(type, "type")
        TAKE(content, "content") TAKE(name, "name") TAKE(property, "property") TAKE(role, "role")
        TAKE(itemprop, "itemprop") TAKE(start, "start") TAKE(alt, "alt") TAKE(lang, "lang")
        TAKE(value, "value") TAKE(colspan, "colspan") TAKE(rowspan, "rowspan")
        TAKE(hidden, "hidden")
        else if (a.name_bytes == 4 && equals(a.name, 4, "open")) found->open = a;
        else if (a.name_bytes == 7 && equals(a.name, 7, "popover")) found->popover = a;
        else if (a.name_bytes == 13)
            found->is_opener |= equals(a.name, 13, "aria-expanded") || equals(a.name, 13, "aria-controls");
        else if (equals(a.name, a.name_bytes, "aria-hidden"))
            found->is_aria_hidden |= equals(a.value, a.value_bytes, "true");
    }
#undef TAKE
    found->is_hidden = found->hidden.name != NULL;
    if (found->style.value_bytes
        && (has_style(&found->style, "display:", "none") || has_style(&found->style, "visibility:", "hidden")))
        found->is_hidden = 1;
    if (found->itemprop.value_bytes)
        found->is_body_prop = has_word(&found->itemprop, "articlebody") || has_word(&found->itemprop, "text");
}

static int is_bad_role(const Attribute *role) {
    static const char *const roles[] = {"navigation", "banner", "contentinfo", "complementary", "menu", "menubar", "search",
                                        "dialog", "alertdialog", "alert", "toolbar", "tooltip", NULL};
    if (role->value_bytes)
        for (int i = 0; roles[i]; i++)
            if (equals(role->value, role->value_bytes, roles[i])) return 1;
    return 0;
}

static uint32_t flags_of(Tag tag, const Attributes *a, uint32_t flags) {
    switch (tag) {
    case T_main: flags |= IN_MAIN; break;
    case T_article: flags |= IN_ARTICLE; break;
    case T_nav: case T_menu: case T_search: flags |= IN_NAV; break;
    case T_header: flags |= IN_HEADER; break;
    case T_footer: flags |= IN_FOOTER; break;
    case T_aside: flags |= IN_ASIDE; break;
    case T_form: flags |= IN_FORM; break;
    case T_noscript: flags |= IN_NOSCRIPT; break;
    case T_ul: case T_ol: flags |= IN_LIST; break;
    case T_table: flags |= IN_TABLE; break;
    case T_figure: flags |= IN_FIGURE; break;
    case T_details: flags |= IN_DETAILS; break;
    case T_dialog: flags |= IN_HIDDEN; break;
    default: break;
    }
    if (a->is_hidden || a->is_aria_hidden) flags |= IN_HIDDEN;
    if (a->is_body_prop) flags |= IN_BODY_PROP;
    if (equals(a->role.value ? a->role.value : "", a->role.value_bytes, "main")) flags |= IN_MAIN;
    if (is_bad_role(&a->role)) flags |= IN_BAD_ROLE;
    if (a->rendered == NO) flags |= NOT_RENDERED;
    if (a->visible == NO) flags |= NOT_VISIBLE;
    if (a->visible == YES) flags &= ~(uint32_t)NOT_VISIBLE;
    return flags;
}

static void keep_names(Reader *r, Element *e, const Attributes *a) {
    Page *page = r->page;
    uint32_t bytes[2] = {a->class.value_bytes, a->id.value_bytes};
    if (bytes[0] > MAX_NAME_BYTES) bytes[0] = MAX_NAME_BYTES;
    if (bytes[1] > MAX_NAME_BYTES) bytes[1] = MAX_NAME_BYTES;
    e->name = (uint32_t)page->names.count;
    if (bytes[0] + bytes[1] == 0) return;
    if (!RESERVE(page->names, (int32_t)(bytes[0] + bytes[1] + 1))) {
        r->status = READ_NO_MEMORY;
        return;
    }
    char *at = page->names.at + page->names.count;
    if (bytes[0]) memcpy(at, a->class.value, bytes[0]);
    at[bytes[0]] = ' ';
    if (bytes[1]) memcpy(at + bytes[0] + 1, a->id.value, bytes[1]);
    e->name_bytes = bytes[0] + bytes[1] + 1;
    page->names.count += (int32_t)e->name_bytes;
}

/* A hash of the names without digits: numbered list items get equal hashes. */
static uint32_t signature(Tag tag, const Page *page, const Element *e) {
    uint32_t hash = (2166136261u ^ tag) * 16777619u;
    for (uint32_t i = 0; i < e->name_bytes; i++) {
        char c = page->names.at[e->name + i];
        if (c < '0' || c > '9') hash = (hash ^ (uint8_t)c) * 16777619u;
    }
    return hash;
}

static int whole_number(const Attribute *a) {
    int value = 0, i = 0, sign = 1;
    if (a->value_bytes && a->value[0] == '-') sign = -1, i = 1;
    for (; i < (int)a->value_bytes && i < 8 && a->value[i] >= '0' && a->value[i] <= '9'; i++)
        value = value * 10 + (a->value[i] - '0');
    return i < (int)a->value_bytes ? 1 : sign * value;
}

/* The list or table of an item or a row, at most three elements up; -1: none. */
static int32_t holder(const Page *page, const Element *e, int is_list) {
    int32_t up = e->parent;
    for (; up >= 0 && e->depth - page->elements.at[up].depth < 4; up = page->elements.at[up].parent) {
        Tag tag = (Tag)page->elements.at[up].tag;
        if (is_list ? tag == T_ol || tag == T_ul || tag == T_menu || tag == T_dir : tag == T_table) return up;
    }
    return -1;
}

static int32_t span(const Attribute *a, int32_t most) {
    int32_t value = a->value_bytes ? whole_number(a) : 1;
    return value < 1 ? 1 : value > most ? most : value;
}

static int32_t free_column(const Page *page, int32_t table, int32_t row, int32_t column) {
    for (int moved = 1, steps = 0; moved && steps < MAX_HELD; steps++) {
        moved = 0;
        for (uint32_t i = 0; i < MAX_HELD && i < page->held_count; i++) {
            const Held *h = &page->held[i];
            if (h->table == table && h->first_row <= row && row <= h->last_row && column >= h->column
                && column < h->column + h->columns)
                column = h->column + h->columns, moved = 1;
        }
    }
    return column;
}

static void place_cell(Page *page, Element *cell, const Attributes *a) {
    Element *row = &page->elements.at[cell->parent];
    int32_t table = holder(page, row, 0), columns = span(&a->colspan, MAX_COLUMNS), rows = span(&a->rowspan, MAX_ROWS);
    cell->row = row->row;
    cell->column = table < 0 ? row->number : free_column(page, table, row->row, row->number);
    row->number = cell->column + columns;
    if (table >= 0 && rows > 1) page->held[page->held_count++ % MAX_HELD] = (Held){table, cell->row + 1, cell->row + rows - 1, cell->column, columns};
}

/* Numbers rows of a table, cells of a row, items of a list; `number` of a container counts its children. */
static void number(Page *page, Element *e, const Attributes *a) {
    e->row = e->column = -1;
    if (e->tag == T_ol) e->number = a->start.value_bytes ? whole_number(&a->start) - 1 : 0;
    if (e->tag == T_li) {
        int32_t list = holder(page, e, 1);
        if (list >= 0 && a->value.value_bytes) page->elements.at[list].number = whole_number(&a->value) - 1;
        if (list >= 0) e->number = ++page->elements.at[list].number;
    } else if (e->tag == T_tr) {
        int32_t table = holder(page, e, 0);
        if (table >= 0) e->row = page->elements.at[table].row++;
    } else if (e->tag == T_td || e->tag == T_th) {
        if (e->parent >= 0 && page->elements.at[e->parent].tag == T_tr) place_cell(page, e, a);
    } else if (e->tag == T_table) e->row = 0;
}

/* Finds the programming language in a class: "language-python", "lang-py", "highlight-source-c", "brush: java". */
void note_language(Page *page, Element *pre, const char *at, size_t bytes) {
    static const char *const marks[] = {"language-", "lang-", "highlight-source-", "highlight-", "brush:", NULL};
    size_t end;
    for (size_t i = 0; i < bytes && pre->language_bytes == 0; i = end + 1) {
        for (end = i; end < bytes && (uint8_t)at[end] > ' '; end++) {}
        for (int k = 0; marks[k] && pre->language_bytes == 0; k++) {
            size_t length = strlen(marks[k]), from = i + length;
            if (end - i < length || !equals(at + i, length, marks[k])) continue;
            while (from < bytes && at[from] == ' ') from++;
            size_t stop = from;
            while (stop < bytes && stop - from < 40 && (uint8_t)at[stop] > ' ' && at[stop] != ';') stop++;
            if (stop == from || !RESERVE(page->names, (int32_t)(stop - from))) continue;
            pre->language = (uint32_t)page->names.count;
            pre->language_bytes = (uint32_t)(stop - from);
            memcpy(page->names.at + page->names.count, at + from, stop - from);
            page->names.count += (int32_t)(stop - from);
        }
    }
}

/* The language of the element or of one of the two around it. A `code` within it may still set the language. */
void note_pre(Page *page, int32_t pre) {
    for (int32_t at = pre, steps = 0; at >= 0 && steps < 3; at = page->elements.at[at].parent, steps++) {
        char names[MAX_NAME_BYTES * 2 + 1];
        const Element *e = &page->elements.at[at];
        size_t bytes = e->name_bytes < sizeof names ? e->name_bytes : sizeof names;
        if (bytes) memcpy(names, page->names.at + e->name, bytes);      /* the names may move when one is added */
        note_language(page, &page->elements.at[pre], names, bytes);
    }
}

int32_t add_element(Reader *r, Tag tag, const Attributes *a) {
    Page *page = r->page;
    if (page->elements.count >= MAX_ELEMENTS || !RESERVE(page->elements, 1)) {
        r->status = page->elements.count >= MAX_ELEMENTS ? READ_TOO_MANY : READ_NO_MEMORY;
        return r->box;
    }
    int32_t index = page->elements.count++;
    if (a->is_opener) r->opener = index;
    Element *e = &page->elements.at[index], *above = r->box >= 0 ? &page->elements.at[r->box] : NULL;
    memset(e, 0, sizeof *e);
    e->parent = r->box;
    e->tag = (uint8_t)tag;
    e->depth = above ? above->depth + 1 : 0;
    e->block_begin = e->block_end = page->blocks.count;
    e->flags = flags_of(tag, a, above ? above->flags : 0);
    if (tag == T_body) e->flags &= ~(uint32_t)(IN_HIDDEN | NOT_RENDERED | NOT_VISIBLE);   /* hidden until a script shows it */
    keep_names(r, e, a);
    if ((a->rendered == NO || a->visible == NO) && is_openable(r, e, a))
        e->flags &= ~(uint32_t)(NOT_RENDERED | NOT_VISIBLE) | (above ? above->flags : 0);
    e->signature = signature(tag, page, e);
    Naming naming = {r, e, 0, 0, 0};
    name_tokens(page->names.at + e->name, e->name_bytes, add_name, &naming);
    if (naming.comments) e->flags |= IN_COMMENTS;
    e->min_score = above && above->min_score < e->own_score ? above->min_score : e->own_score;
    e->max_score = above && above->max_score > e->own_score ? above->max_score : e->own_score;
    e->sum_score = (above ? above->sum_score : 0) + e->own_score;
    number(page, e, a);
    return index;
}
