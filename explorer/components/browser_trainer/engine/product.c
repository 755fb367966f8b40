/* Matrix products, in which nearly all of the time goes.
 *
 * A block of B is copied in panels, each eight columns wide and in one piece, that stay in the
 * processor's caches while rows of A meet them, four at a time, with their 32 sums in registers
 * (Goto and van de Geijn, Anatomy of High-Performance Matrix Multiplication, 2008).
 */
#include "engine.h"
#include "vectors.h"

enum { ROWS = 4, COLUMNS = 8, WIDTH = 64, DEPTH = 256 };

static float panels[WIDTH * DEPTH]; /* of B: one after another, each k 8 */
static float strip[ROWS * DEPTH];   /* of A, where its rows lie side by side: k 4 */

typedef struct {
  int from, end;
} Range;

static int lesser(int a, int b) { return a < b ? a : b; }
static int greater(int a, int b) { return a > b ? a : b; }

/* ---- copies --------------------------------------------------------------------------------- */

static void pack_some(int depth, int n_columns, Matrix b, float *to) {
  for (int i = 0; i < depth; i++, to += COLUMNS)
    for (int j = 0; j < COLUMNS; j++)
      to[j] = j < n_columns ? b.at[(size)i * b.row + (size)j * b.column] : 0.f;
}

static void pack_panel(int depth, Matrix b, float *to) {
  int i = 0;
  if (b.column == 1)
    for (; i < depth; i++, to += COLUMNS) {
      const float *from = b.at + (size)i * b.row;
      STORE(to, LOAD(from));
      STORE(to + 4, LOAD(from + 4));
    }
  else if (b.row == 1)
    for (; i + 4 <= depth; i += 4, to += 4 * COLUMNS) {
      turn_four(b.at + i, b.column, to, COLUMNS);
      turn_four(b.at + i + 4 * b.column, b.column, to + 4, COLUMNS);
    }
  pack_some(depth - i, COLUMNS, (Matrix){b.at + (size)i * b.row, b.row, b.column}, to);
}

static __attribute__((noinline)) void pack(Matrix b, Range columns, Range inner) {
  int depth = inner.end - inner.from;
  const float *from = b.at + (size)inner.from * b.row;
  for (int j = columns.from; j < columns.end; j += COLUMNS) {
    Matrix some = {(float *)from + (size)j * b.column, b.row, b.column};
    float *to = panels + (size)(j - columns.from) * depth;
    if (j + COLUMNS <= columns.end) pack_panel(depth, some, to);
    else pack_some(depth, columns.end - j, some, to);
  }
}

static __attribute__((noinline)) void pack_strip(int depth, const float *a, int column) {
  for (int i = 0; i < depth; i++, a += column) STORE(strip + ROWS * i, LOAD(a));
}

/* ---- some rows and one panel ---------------------------------------------------------------- */

static inline void put(float *c, int n_columns, Four left, Four right, int adds) {
  if (n_columns >= COLUMNS) {
    STORE(c, adds ? LOAD(c) + left : left);
    STORE(c + 4, adds ? LOAD(c + 4) + right : right);
    return;
  }
  for (int j = 0; j < n_columns; j++) {
    float sum = j < 4 ? left[j] : right[j - 4];
    c[j] = adds ? c[j] + sum : sum;
  }
}

/* Always called with a constant number of rows, so that each loop over them is written out. */
__attribute__((always_inline)) static inline void meet(int n_rows, int depth, const float *a,
                                                       int row, int column, const float *panel,
                                                       float *c, int c_row, int n_columns,
                                                       float scale, int adds) {
  Four left[ROWS], right[ROWS];
  for (int r = 0; r < n_rows; r++) left[r] = right[r] = ALL(0.f);
#pragma clang loop unroll(disable) /* else all loads come first, for which there are no registers */
  for (; depth > 0; depth--, a += column, panel += COLUMNS)
    for (int r = 0; r < n_rows; r++) {
      Four x = ALL(a[r * row]);
      left[r] = MULTIPLY_ADD(x, LOAD(panel), left[r]);
      right[r] = MULTIPLY_ADD(x, LOAD(panel + 4), right[r]);
    }
  for (int r = 0; r < n_rows; r++)
    put(c + (size)r * c_row, n_columns, left[r] * ALL(scale), right[r] * ALL(scale), adds);
}

/* Not inlined, so that a profile tells them apart. */
#define MEETS __attribute__((noinline)) static void

MEETS meet_rows(int depth, const float *a, int row, const float *panel, float *c, int c_row,
                int n_columns, float scale, int adds) {
  meet(ROWS, depth, a, row, 1, panel, c, c_row, n_columns, scale, adds);
}

MEETS meet_strip(int depth, const float *panel, float *c, int c_row, int n_columns, float scale,
                 int adds) {
  meet(ROWS, depth, strip, 1, ROWS, panel, c, c_row, n_columns, scale, adds);
}

MEETS meet_row(int depth, const float *a, int column, const float *panel, float *c, int n_columns,
               float scale, int adds) {
  meet(1, depth, a, 0, column, panel, c, 0, n_columns, scale, adds);
}

/* ---- all rows and all panels ---------------------------------------------------------------- */

/* What a few rows of C need of a block of B. */
typedef struct {
  Range columns, inner;
} Need;

static Range within(Range outer, int from, int end) {
  return (Range){greater(outer.from, from), lesser(outer.end, end)};
}

/* What readers read begins a window before the first of them and ends with the last; who reads
 * sources begins with the first and ends a window behind the last. */
static Need need_of(enum Band band, int window, int first, int n, Need block) {
  int from = window ? first - window + 1 : 0, end = first + n;
  if (band == PATTERN_AS_C) block.columns = within(block.columns, from, end);
  if (band == PATTERN_AS_A) block.inner = within(block.inner, from, end);
  if (band == TURNED_PATTERN_AS_A)
    block.inner = within(block.inner, first, window ? end - 1 + window : sizes.context);
  return block;
}

static void meet_panels(int n_rows, Matrix a, Need block, Need need, Matrix c, float scale,
                        int adds) {
  int depth = block.inner.end - block.inner.from, k = greater(need.inner.end - need.inner.from, 0);
  int is_strip = n_rows == ROWS && a.column != 1;
  const float *b = panels + (size)(need.inner.from - block.inner.from) * COLUMNS;
  int first = (need.columns.from - block.columns.from) / COLUMNS * COLUMNS;
  a.at += (size)need.inner.from * a.column;
  if (is_strip) pack_strip(k, a.at, a.column);
  for (int j = first; j < need.columns.end - block.columns.from; j += COLUMNS) {
    const float *panel = b + (size)j * depth;
    float *to = c.at + block.columns.from + j;
    int n_columns = block.columns.end - block.columns.from - j;
    if (is_strip) meet_strip(k, panel, to, c.row, n_columns, scale, adds);
    else if (n_rows == ROWS) meet_rows(k, a.at, a.row, panel, to, c.row, n_columns, scale, adds);
    else meet_row(k, a.at, a.column, panel, to, n_columns, scale, adds);
  }
}

void banded_product(enum Band band, int window, int m, int n, int k, Matrix a, Matrix b, Matrix c,
                    float scale, int adds) {
  for (int j = 0; j < n; j += WIDTH)
    for (int i = 0; i < k; i += DEPTH) {
      Need block = {{j, lesser(j + WIDTH, n)}, {i, lesser(i + DEPTH, k)}};
      pack(b, block.columns, block.inner);
      for (int row = 0, n_rows; row < m; row += n_rows) {
        n_rows = m - row < ROWS ? 1 : ROWS;
        Matrix rows = {a.at + (size)row * a.row, a.row, a.column};
        Matrix to = {c.at + (size)row * c.row, c.row, 1};
        Need need = need_of(band, window, row, n_rows, block);
        meet_panels(n_rows, rows, block, need, to, scale, adds || i);
      }
    }
}

void product(int m, int n, int k, Matrix a, Matrix b, Matrix c, float scale, int adds) {
  banded_product(WHOLE, 0, m, n, k, a, b, c, scale, adds);
}

/* y = x W^T + b */
void linear_forward(const Linear *l, int rows, const float *x, float *y) {
  Matrix from = {(float *)x, l->in, 1}, to = {y, l->out, 1};
  Matrix weight = {parameters + l->weight, 1, l->in};
  if (l->bias != NOWHERE)
    for (int i = 0; i < rows; i++) copy(y + (size)i * l->out, parameters + l->bias, l->out);
  product(rows, l->out, l->in, from, weight, to, 1.f, l->bias != NOWHERE);
}

/* dW += dy^T x, db += the sum of dy, and dx = dy W, or dx += dy W; no dx where that is 0. */
void linear_backward(const Linear *l, int rows, const float *x, const float *dy, float *dx,
                     int adds) {
  Matrix g = {(float *)dy, l->out, 1}, g_turned = {(float *)dy, 1, l->out};
  Matrix from = {(float *)x, l->in, 1}, for_weight = {gradients + l->weight, l->in, 1};
  product(l->out, l->in, rows, g_turned, from, for_weight, 1.f, 1);
  if (l->bias != NOWHERE)
    for (int i = 0; i < rows; i++) add(gradients + l->bias, dy + (size)i * l->out, l->out);
  if (dx) {
    Matrix weight = {parameters + l->weight, l->in, 1}, for_x = {dx, l->in, 1};
    product(rows, l->in, l->out, g, weight, for_x, 1.f, adds);
  }
}
