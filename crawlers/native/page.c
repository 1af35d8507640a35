#include "page.h"

#include "entities.h"

#include <string.h>

static void start_piece(Text *text) {
    text->in_piece = 1;
    text->is_skipped = text->characters > text->max_characters;
    if (text->is_skipped) return;
    if (text->pieces++) append(&text->text, " ", " " + 1);
    text->piece_start = text->text.size;
}

void add_token(Text *text, const Token *token) {
    static const char blank = ' ';
    if (!text->in_piece) start_piece(text);
    if (text->is_skipped) return;
    if (token->kind == MARKUP) append(&text->text, &blank, &blank + 1);
    else append_text(&text->text, (Slice){token->start, token->end});
}

static int is_space(uint32_t point) { /* as in Unicode */
    return (point >= 0x9 && point <= 0xd) || (point >= 0x1c && point <= 0x20) || point == 0x85 || point == 0xa0
           || point == 0x1680 || (point >= 0x2000 && point <= 0x200a) || point == 0x2028 || point == 0x2029
           || point == 0x202f || point == 0x205f || point == 0x3000;
}

static Slice without_spaces(Slice slice) {
    const char *next, *last = slice.start;
    while (slice.start < slice.end && is_space(point_at(slice.start, &next))) slice.start = next;
    for (const char *at = last = slice.start; at < slice.end; at = next)
        if (!is_space(point_at(at, &next))) last = next;
    return (Slice){slice.start, last};
}

/* Compare the piece with the next bytes of the open link's address. */
static void compare(Text *text) {
    Slice piece = without_spaces((Slice){text->text.data + text->piece_start, text->text.data + text->text.size});
    size_t bytes = (size_t)(piece.end - piece.start);
    text->is_address = bytes <= text->href.size - text->equal
                       && (bytes == 0 || memcmp(piece.start, text->href.data + text->equal, bytes) == 0);
    text->equal += text->is_address ? bytes : 0;
}

void end_piece(Text *text) {
    if (text->in_piece && !text->is_skipped && !text->text.failed) {
        text->characters += characters_of(text->text.data + text->piece_start, text->text.data + text->text.size);
        if (text->has_link && text->is_address) compare(text);
    }
    text->in_piece = 0;
}

void start_link(Text *text, Slice href) {
    text->href.size = 0;
    append(&text->href, href.start, href.end);
    text->has_link = text->is_address = 1;
    text->equal = 0;
    text->link_start = text->text.size;
    text->link_pieces = text->pieces;
}

void end_link(Text *text) {
    if (text->has_link && text->is_address && text->equal == text->href.size) {
        text->text.size = text->link_start;
        text->pieces = text->link_pieces;
    }
    text->has_link = 0;
}

void release_text(Text *text) {
    release_buffer(&text->text);
    release_buffer(&text->href);
}
