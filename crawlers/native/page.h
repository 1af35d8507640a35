/* The text of a page, without that of links that only show their address. */
#ifndef SCAN_PAGE_H
#define SCAN_PAGE_H

#include "tokens.h"

/* A *piece* is the text between two tags of `Element`.
 *
 * Args: *max_characters*: no piece begins after more characters than these.
 *       *href*: the decoded address of the open link; *equal* of its bytes have been seen as text. */
typedef struct {
    Buffer text, href;
    size_t max_characters, characters, pieces, piece_start;
    int in_piece, is_skipped;
    int has_link, is_address;
    size_t equal, link_start, link_pieces;
} Text;

/* Add the text or the blank that *token* is. */
void add_token(Text *text, const Token *token);
void end_piece(Text *text);
void start_link(Text *text, Slice href);

/* Delete the text of the link that ends here if it is its address. */
void end_link(Text *text);
void release_text(Text *text);

#endif
