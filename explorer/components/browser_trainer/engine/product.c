/* Matrix products, in which nearly all of the time goes.
 *
 * A panel of B, eight columns wide, is copied so that it lies in one piece; then four rows of A at
 * a time meet it, with their 32 sums kept in registers.
 */
#include "engine.h"

typedef float Four __attribute__((vector_size(16), aligned(4), may_alias));

#define LOAD(from) (*(const Four *)(from))
#define STORE(to, value) (*(Four *)(to) = (value))
#define ALL(x) ((Four){(x), (x), (x), (x)})
#ifdef __wasm_relaxed_simd__
#define MULTIPLY_ADD(a, b, c) __builtin_wasm_relaxed_madd_f32x4(a, b, c)
#else
#define MULTIPLY_ADD(a, b, c) ((a) * (b) + (c))
#endif

enum { ROWS = 4, COLUMNS = 8 };

static float *panel; /* k 8 */

void prepare_products(int longest_inner) { panel = floats((size)longest_inner * COLUMNS); }

static void pack(int k, int n, Matrix b, int first) {
  float *to = panel;
  int n_columns = n - first < COLUMNS ? n - first : COLUMNS;
  if (n_columns == COLUMNS && b.column == 1) {
    for (int i = 0; i < k; i++, to += COLUMNS) {
      const float *from = b.at + (size)i * b.row + first;
      STORE(to, LOAD(from));
      STORE(to + 4, LOAD(from + 4));
    }
    return;
  }
  for (int i = 0; i < k; i++, to += COLUMNS)
    for (int j = 0; j < COLUMNS; j++)
      to[j] = j < n_columns ? b.at[(size)i * b.row + (size)(first + j) * b.column] : 0.f;
}

static void put(float *c, int n_columns, const Four *sums, float scale, int adds) {
  if (n_columns == COLUMNS) {
    Four left = sums[0] * ALL(scale), right = sums[1] * ALL(scale);
    STORE(c, adds ? LOAD(c) + left : left);
    STORE(c + 4, adds ? LOAD(c + 4) + right : right);
    return;
  }
  for (int j = 0; j < n_columns; j++) {
    float sum = sums[j / 4][j % 4] * scale;
    c[j] = adds ? c[j] + sum : sum;
  }
}

static void four_rows(int k, Matrix a, Four sums[ROWS][2]) {
  const float *a0 = a.at, *a1 = a0 + a.row, *a2 = a1 + a.row, *a3 = a2 + a.row, *b = panel;
  Four c00 = ALL(0.f), c01 = c00, c10 = c00, c11 = c00, c20 = c00, c21 = c00, c30 = c00, c31 = c00;
  for (int i = 0; i < k; i++, b += COLUMNS) {
    Four left = LOAD(b), right = LOAD(b + 4), x;
    x = ALL(*a0); c00 = MULTIPLY_ADD(x, left, c00); c01 = MULTIPLY_ADD(x, right, c01);
    x = ALL(*a1); c10 = MULTIPLY_ADD(x, left, c10); c11 = MULTIPLY_ADD(x, right, c11);
    x = ALL(*a2); c20 = MULTIPLY_ADD(x, left, c20); c21 = MULTIPLY_ADD(x, right, c21);
    x = ALL(*a3); c30 = MULTIPLY_ADD(x, left, c30); c31 = MULTIPLY_ADD(x, right, c31);
    a0 += a.column; a1 += a.column; a2 += a.column; a3 += a.column;
  }
  sums[0][0] = c00; sums[0][1] = c01; sums[1][0] = c10; sums[1][1] = c11;
  sums[2][0] = c20; sums[2][1] = c21; sums[3][0] = c30; sums[3][1] = c31;
}

static void one_row(int k, Matrix a, Four sums[2]) {
  const float *x = a.at, *b = panel;
  Four left = ALL(0.f), right = left;
  for (int i = 0; i < k; i++, b += COLUMNS, x += a.column) {
    left = MULTIPLY_ADD(ALL(*x), LOAD(b), left);
    right = MULTIPLY_ADD(ALL(*x), LOAD(b + 4), right);
  }
  sums[0] = left; sums[1] = right;
}

void product(int m, int n, int k, Matrix a, Matrix b, Matrix c, float scale, int adds) {
  for (int j = 0; j < n; j += COLUMNS) {
    int n_columns = n - j < COLUMNS ? n - j : COLUMNS, i = 0;
    pack(k, n, b, j);
    Four sums[ROWS][2];
    for (; i + ROWS <= m; i += ROWS) {
      four_rows(k, (Matrix){a.at + (size)i * a.row, a.row, a.column}, sums);
      for (int r = 0; r < ROWS; r++)
        put(c.at + (size)(i + r) * c.row + j, n_columns, sums[r], scale, adds);
    }
    for (; i < m; i++) {
      one_row(k, (Matrix){a.at + (size)i * a.row, a.row, a.column}, sums[0]);
      put(c.at + (size)i * c.row + j, n_columns, sums[0], scale, adds);
    }
  }
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
