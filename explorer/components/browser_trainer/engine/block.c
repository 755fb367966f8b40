/* One layer: attention and feed-forward, each added to the residual stream, with norms before
 * them, on what they give, or on the sum, and the two one after the other or side by side. */
#include "engine.h"

static float *d_middle, *d_input, *d_given;

static size all(int n_texts) { return (size)n_texts * sizes.context * sizes.d_model; }

void prepare_blocks(void) {
  d_middle = floats(all(sizes.n_texts));
  d_input = floats(all(sizes.n_texts));
  d_given = floats(all(sizes.n_texts));
}

static void forward(const Norm *n, int rows, const float *x, float *y, Statistics found) {
  norm_forward(n, rows, x, n->width, y, n->width, found);
}

static void backward(const Norm *n, int rows, const float *x, const float *dy, Statistics found,
                     float *dx, int adds) {
  norm_backward(n, rows, x, n->width, dy, n->width, found, dx, n->width, adds);
}

/* Where no norm stands before a part, what the part reads is what the norm would have read: `Kept`
 * names one piece of memory twice then (model.c). */
static int stands_before(const Norm *n) { return n->is_present && !sizes.norms_after; }
static int stands_after(const Norm *n) { return n->is_present && sizes.norms_after; }

float *read_by_feed_forward(const Kept *k) {
  switch (sizes.feed_forward_reads) {
    case NORMED: return k->attention_input;
    case STREAM: return k->x;
    default: return k->middle;
  }
}

/* The stream and what a part gives, normed if it has a norm there. */
static void add_given(const Norm *n, int rows, const float *given, float *sum, Statistics found) {
  if (n->is_present) {
    forward(n, rows, given, d_given, found);
    given = d_given;
  }
  add(sum, given, (size)rows * sizes.d_model);
}

static void attention_part(const Layer *l, const Kept *k, Rows rows) {
  size at = (size)rows.first * sizes.d_model;
  float *sum = k->attention_sum + at, *given = k->attention_given + at;
  if (stands_before(&l->attention_norm))
    forward(&l->attention_norm, rows.n, k->x + at, k->attention_input + at, k->attention_norm);
  copy(sum, k->x + at, (size)rows.n * sizes.d_model);
  if (sizes.has_attention) {
    attention_forward(l, k, rows, k->attention_input + at, given);
    add_given(&l->attention_output_norm, rows.n, given, sum, k->attention_output_norm);
  }
  if (stands_after(&l->attention_norm))
    forward(&l->attention_norm, rows.n, sum, k->middle + at, k->attention_norm);
}

static void feed_forward_part(const Layer *l, const Kept *k, Rows rows, float *y) {
  size at = (size)rows.first * sizes.d_model;
  float *sum = stands_after(&l->feed_forward_norm) ? k->sum + at : y;
  float *input = k->feed_forward_input + at, *given = k->feed_forward_given + at;
  if (stands_before(&l->feed_forward_norm))
    forward(&l->feed_forward_norm, rows.n, read_by_feed_forward(k) + at, input,
            k->feed_forward_norm);
  copy(sum, k->middle + at, (size)rows.n * sizes.d_model);
  if (sizes.activation) {
    feed_forward_forward(l, k, rows, input, given);
    add_given(&l->feed_forward_output_norm, rows.n, given, sum, k->feed_forward_output_norm);
  }
  if (stands_after(&l->feed_forward_norm))
    forward(&l->feed_forward_norm, rows.n, sum, y, k->feed_forward_norm);
}

/* Carry rows of the residual stream, in k->x, one layer up, into y, which begins with them. */
void block_forward(const Layer *l, const Kept *k, Rows rows, float *y) {
  attention_part(l, k, rows);
  feed_forward_part(l, k, rows, y);
}

/* Give what the gradient by a part's output is before the norm there. */
static const float *through_output(const Norm *n, int rows, const float *given, Statistics found) {
  if (!n->is_present) return d_middle;
  backward(n, rows, given, d_middle, found, d_given, 0);
  return d_given;
}

/* d_middle, by the sum behind the feed-forward, becomes that by the stream in the middle; what the
 * feed-forward read of the stream itself goes into dx, what it read of attention's into d_input. */
static void feed_forward_part_backward(const Layer *l, const Kept *k, int n_texts, float *dx) {
  int rows = n_texts * sizes.context, reads = sizes.feed_forward_reads;
  float *to = reads == NORMED ? d_input : reads == STREAM ? dx : d_middle;
  if (!sizes.activation) return;
  const float *dy = through_output(&l->feed_forward_output_norm, rows, k->feed_forward_given,
                                   k->feed_forward_output_norm);
  float *d_read = k->feed_forward_given; /* which has been read for the last time */
  feed_forward_backward(l, k, rows, k->feed_forward_input, dy, d_read, 0);
  if (stands_before(&l->feed_forward_norm))
    backward(&l->feed_forward_norm, rows, read_by_feed_forward(k), d_read, k->feed_forward_norm, to,
             1);
  else add(to, d_read, all(n_texts));
}

/* d_middle, by the sum behind attention, and what attention read: all goes back into dx. */
static void attention_part_backward(const Layer *l, const Kept *k, int n_texts, float *dx) {
  int rows = n_texts * sizes.context;
  add(dx, d_middle, all(n_texts));
  if (sizes.has_attention) {
    const float *dy = through_output(&l->attention_output_norm, rows, k->attention_given,
                                     k->attention_output_norm);
    attention_backward(l, k, n_texts, k->attention_input, dy, d_input, 1);
  }
  if (stands_before(&l->attention_norm))
    backward(&l->attention_norm, rows, k->x, d_input, k->attention_norm, dx, 1);
  else add(dx, d_input, all(n_texts));
}

/* From the gradient by what the layer gave to that by what it was given. */
void block_backward(const Layer *l, const Kept *k, int n_texts, const float *dy, float *dx) {
  int rows = n_texts * sizes.context;
  size n = all(n_texts);
  fill(dx, n, 0.f);
  fill(d_input, n, 0.f);
  if (stands_after(&l->feed_forward_norm))
    backward(&l->feed_forward_norm, rows, k->sum, dy, k->feed_forward_norm, d_middle, 0);
  else copy(d_middle, dy, n);
  feed_forward_part_backward(l, k, n_texts, dx);
  if (stands_after(&l->attention_norm)) {
    backward(&l->attention_norm, rows, k->attention_sum, d_middle, k->attention_norm, d_given, 0);
    copy(d_middle, d_given, n);
  }
  attention_part_backward(l, k, n_texts, dx);
}
