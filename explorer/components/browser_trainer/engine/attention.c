/* Causal attention (arXiv:1706.03762), with shared keys and values (arXiv:2305.13245), windows,
 * norms on queries and keys, soft-caps and ALiBi.
 *
 * The pattern is computed and kept. Row i of a head's T T pattern is 0 beside what reader i reads.
 */
#include "engine.h"
#include "numbers.h"
#include "vectors.h"

static float *d_qkv, *d_queries_keys, *d_heads, *d_scores;
static float *capped; /* a head's scores, where they are */

int qkv_width(void) { return (sizes.n_heads + 2 * sizes.n_kv_heads) * sizes.d_head; }
int queries_keys_width(void) { return (sizes.n_heads + sizes.n_kv_heads) * sizes.d_head; }
static int heads_width(void) { return sizes.n_heads * sizes.d_head; }

void prepare_attention(void) {
  size rows = (size)sizes.n_texts * sizes.context;
  d_qkv = floats(rows * qkv_width());
  d_queries_keys = floats(rows * queries_keys_width());
  d_heads = floats(rows * heads_width());
  d_scores = floats((size)sizes.context * sizes.context);
  capped = floats(reals.attention_softcap > 0.f ? (size)sizes.context * sizes.context : 1);
}

/* ---- queries and keys, from the projection to what is compared ----------------------------- */

static void move(int rows, int width, const float *from, int from_row, float *to, int to_row) {
  for (int r = 0; r < rows; r++) copy(to + (size)r * to_row, from + (size)r * from_row, width);
}

static Statistics behind(Statistics of, size n) { return (Statistics){of.mean + n, of.scale + n}; }

/* Norm some heads' coordinates, all at once or head by head. */
static void norm_heads(const Norm *norm, int rows, int n_heads, const float *x, int x_row, float *y,
                       int y_row, Statistics found) {
  int n_times = sizes.qk_norm == NORM_OF_HEAD ? n_heads : 1;
  if (!norm->is_present) {
    move(rows, n_heads * sizes.d_head, x, x_row, y, y_row);
    return;
  }
  for (int h = 0; h < n_times; h++)
    norm_forward(norm, rows, x + h * sizes.d_head, x_row, y + h * sizes.d_head, y_row,
                 behind(found, (size)h * rows));
}

static void norm_heads_backward(const Norm *norm, int rows, int n_heads, const float *x, int x_row,
                                const float *dy, int dy_row, Statistics found, float *dx) {
  int n_times = sizes.qk_norm == NORM_OF_HEAD ? n_heads : 1;
  if (!norm->is_present) {
    move(rows, n_heads * sizes.d_head, dy, dy_row, dx, x_row);
    return;
  }
  for (int h = 0; h < n_times; h++)
    norm_backward(norm, rows, x + h * sizes.d_head, x_row, dy + h * sizes.d_head, dy_row,
                  behind(found, (size)h * rows), dx + h * sizes.d_head, x_row, 0);
}

static void queries_and_keys(const Layer *l, const Kept *k, Rows rows) {
  int from = qkv_width(), row = queries_keys_width(), keys = heads_width();
  const float *qkv = k->qkv + (size)rows.first * from;
  float *to = k->queries_keys + (size)rows.first * row;
  norm_heads(&l->query_norm, rows.n, sizes.n_heads, qkv, from, to, row, k->query_norm);
  norm_heads(&l->key_norm, rows.n, sizes.n_kv_heads, qkv + keys, from, to + keys, row, k->key_norm);
  turn(l, rows, to, row, sizes.n_heads + sizes.n_kv_heads, 1.f);
}

static void queries_and_keys_backward(const Layer *l, const Kept *k, int rows) {
  int from = qkv_width(), row = queries_keys_width(), keys = heads_width();
  turn(l, (Rows){0, rows}, d_queries_keys, row, sizes.n_heads + sizes.n_kv_heads, -1.f);
  norm_heads_backward(&l->query_norm, rows, sizes.n_heads, k->qkv, from, d_queries_keys, row,
                      k->query_norm, d_qkv);
  norm_heads_backward(&l->key_norm, rows, sizes.n_kv_heads, k->qkv + keys, from,
                      d_queries_keys + keys, row, k->key_norm, d_qkv + keys);
}

/* ---- one head of one text ------------------------------------------------------------------ */

typedef struct {
  Matrix queries, keys, values, heads, pattern;
  Matrix d_queries, d_keys, d_values, d_heads, d_scores;
  float slope, scale;
  int window;
} Head;

static Matrix row_of(Matrix m, int row) { return (Matrix){m.at + (size)row * m.row, m.row, m.column}; }
static Matrix column_of(Matrix m, int column) {
  return (Matrix){m.at + (size)column * m.column, m.row, m.column};
}
static Matrix turned(Matrix m) { return (Matrix){m.at, m.column, m.row}; }

static Head head_of(const Layer *l, const Kept *k, int text, int h) {
  int e = sizes.d_head, t = sizes.context, wide = qkv_width(), row = queries_keys_width();
  int out = heads_width(), g = h / (sizes.n_heads / sizes.n_kv_heads);
  size first = (size)text * t;
  size q = first * row + h * e, key = first * row + out + g * e;
  size v = first * wide + row + g * e, o = first * out + h * e;
  return (Head){
      .queries = {k->queries_keys + q, row, 1}, .d_queries = {d_queries_keys + q, row, 1},
      .keys = {k->queries_keys + key, row, 1}, .d_keys = {d_queries_keys + key, row, 1},
      .values = {k->qkv + v, wide, 1}, .d_values = {d_qkv + v, wide, 1},
      .heads = {k->heads + o, out, 1}, .d_heads = {d_heads + o, out, 1},
      .pattern = {k->pattern + ((size)text * sizes.n_heads + h) * t * t, t, 1},
      .d_scores = {d_scores, t, 1},
      .slope = sizes.position == ALIBI ? alibi_slopes[h] : 0.f,
      .scale = 1.f / __builtin_sqrtf((float)e),
      .window = l->window,
  };
}

static int first_source(const Head *a, int reader) {
  int first = a->window ? reader - a->window + 1 : 0;
  return first > 0 ? first : 0;
}

/* Where a reader's row of the pattern begins and ends, with what beside it must be 0. */
static int row_from(int first) { return first > BESIDE ? first - BESIDE : 0; }
static int row_end(int reader) {
  int end = reader + 1 + BESIDE;
  return end < sizes.context ? end : sizes.context;
}

/* Softmax over what a reader reads, and 0 beside it. */
static void soften(const Head *a, int reader, float *row) {
  int first = first_source(a, reader), end = reader + 1;
  float sum = 0.f;
  if (a->slope > 0.f)
    for (int s = first; s < end; s++) row[s] -= a->slope * (float)(reader - s);
  float most = largest(end - first, row + first);
  for (int s = first; s < end; s++) row[s] = exponential(row[s] - most);
  for (int s = first; s < end; s++) sum += row[s];
  float share = 1.f / sum;
  for (int s = first; s < end; s++) row[s] *= share;
  for (int s = row_from(first); s < first; s++) row[s] = 0.f;
  for (int s = end; s < row_end(reader); s++) row[s] = 0.f;
}

/* Scores, capped if they are to be; others than those in the band may be computed, too. */
static void score(const Head *a, Matrix scores) {
  int t = sizes.context;
  banded_product(PATTERN_AS_C, a->window, t, t, sizes.d_head, a->queries, turned(a->keys), scores,
                 a->scale, 0);
  if (reals.attention_softcap > 0.f)
    for (int i = 0; i < t; i++) {
      int first = first_source(a, i);
      cap_forward(reals.attention_softcap, i + 1 - first, row_of(scores, i).at + first);
    }
}

static void head_forward(const Head *a) {
  int t = sizes.context;
  score(a, a->pattern);
  for (int i = 0; i < t; i++) soften(a, i, row_of(a->pattern, i).at);
  banded_product(PATTERN_AS_A, a->window, t, sizes.d_head, t, a->pattern, a->values, a->heads, 1.f,
                 0);
}

/* One reader alone; keys and values of those before it lie where they were computed. */
static void reader_forward(const Head *a, int reader) {
  int e = sizes.d_head, from = first_source(a, reader), n = reader + 1 - from;
  Matrix own = column_of(row_of(a->pattern, reader), from);
  product(1, n, e, row_of(a->queries, reader), turned(row_of(a->keys, from)), own, a->scale, 0);
  if (reals.attention_softcap > 0.f) cap_forward(reals.attention_softcap, n, own.at);
  soften(a, reader, row_of(a->pattern, reader).at);
  product(1, e, n, own, row_of(a->values, from), row_of(a->heads, reader), 1.f, 0);
}

/* dscore = p (dp - the sum of p dp), where dp is on its place already; 0 where p is. */
static void unsoften(const Head *a, int reader) {
  int from = row_from(first_source(a, reader)), end = row_end(reader);
  const float *p = row_of(a->pattern, reader).at;
  float *d = row_of(a->d_scores, reader).at, sum = 0.f;
  for (int s = from; s < end; s++) sum += p[s] * d[s];
  for (int s = from; s < end; s++) d[s] = p[s] * (d[s] - sum);
}

/* By the scores before they were capped; those are found once more, as only the pattern was kept. */
static void uncap(const Head *a) {
  if (reals.attention_softcap <= 0.f) return;
  score(a, (Matrix){capped, sizes.context, 1});
  for (int i = 0; i < sizes.context; i++) {
    int first = first_source(a, i);
    size at = (size)i * sizes.context + first;
    cap_backward(reals.attention_softcap, i + 1 - first, capped + at, a->d_scores.at + at);
  }
}

/* A reader's gradient comes from what it reads, a source's from those who read it. */
static void head_backward(const Head *a) {
  int e = sizes.d_head, t = sizes.context;
  banded_product(PATTERN_AS_C, a->window, t, t, e, a->d_heads, turned(a->values), a->d_scores, 1.f,
                 0);
  for (int i = 0; i < t; i++) unsoften(a, i);
  uncap(a);
  banded_product(PATTERN_AS_A, a->window, t, e, t, a->d_scores, a->keys, a->d_queries, a->scale, 0);
  banded_product(TURNED_PATTERN_AS_A, a->window, t, e, t, turned(a->pattern), a->d_heads,
                 a->d_values, 1.f, 1);
  banded_product(TURNED_PATTERN_AS_A, a->window, t, e, t, turned(a->d_scores), a->queries,
                 a->d_keys, a->scale, 1);
}

/* ---- all heads of all texts ---------------------------------------------------------------- */

static void read_all(const Layer *l, const Kept *k, Rows rows) {
  int is_alone = rows.n < sizes.context, n_texts = is_alone ? 1 : rows.n / sizes.context;
  for (int text = 0; text < n_texts; text++)
    for (int h = 0; h < sizes.n_heads; h++) {
      Head a = head_of(l, k, text, h);
      if (is_alone) reader_forward(&a, rows.first);
      else head_forward(&a);
    }
}

void attention_forward(const Layer *l, const Kept *k, Rows rows, const float *x, float *y) {
  linear_forward(&l->qkv, rows.n, x, k->qkv + (size)rows.first * qkv_width());
  queries_and_keys(l, k, rows);
  read_all(l, k, rows);
  linear_forward(&l->output, rows.n, k->heads + (size)rows.first * heads_width(), y);
}

void attention_backward(const Layer *l, const Kept *k, int n_texts, const float *x,
                        const float *dy, float *dx, int adds) {
  int rows = n_texts * sizes.context;
  linear_backward(&l->output, rows, k->heads, dy, d_heads, 0);
  fill(d_qkv, (size)rows * qkv_width(), 0.f);
  fill(d_queries_keys, (size)rows * queries_keys_width(), 0.f);
  for (int text = 0; text < n_texts; text++)
    for (int h = 0; h < sizes.n_heads; h++) {
      Head a = head_of(l, k, text, h);
      head_backward(&a);
    }
  queries_and_keys_backward(l, k, rows);
  linear_backward(&l->qkv, rows, x, d_qkv, dx, adds);
}
