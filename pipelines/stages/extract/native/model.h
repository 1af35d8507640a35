/* Trees over columns, and the selection of blocks. */
#ifndef CORPUSMILL_MODEL_H
#define CORPUSMILL_MODEL_H

#include "page.h"

#define MAX_TREE_DEPTH 8
#define CHANCES 4096
#define SCORE_BOUND 80000     /* bound of the table of chances; scores are in ten-thousandths of a unit of log odds */
#define MAX_TREES 4096        /* per stage; also the bound of a leaf or bias, so that the sum fits an int32 */
#define MAX_LEAF 500000

typedef struct {
    int32_t trees, depth, bias;
    const int32_t *features;      /* trees * depth: the column compared at each level of a tree */
    const float *borders;         /* trees * depth: true above it */
    const int32_t *leaves;        /* trees * 2 ** depth: added to the score */
} Stage;

void score_blocks(const Stage *stage, const float *columns, int32_t count, int32_t *scores);
void chances_of(const uint16_t *table, const int32_t *scores, int32_t count, uint16_t *chances);
void show_hidden_pages(Page *page, const uint16_t *chances);
int join_chances(const Page *page, uint16_t *chances);
void keep_announced(const Page *page, uint8_t *kept);
int choose_blocks(const Page *page, uint16_t *chances, double beta, uint8_t *kept);
#endif
