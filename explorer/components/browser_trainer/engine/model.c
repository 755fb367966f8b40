/* The model: where its tensors lie, and from tokens to logits and back. */
#include "engine.h"
#include "numbers.h"

Sizes sizes;
Reals reals;
float *parameters, *gradients;
Layer *layers;
Norm embedding_norm, last_norm;
Linear unembedding;
int embedding, position_table;
float *position_waves;

static Kept *kept;
static Statistics of_embedding_norm, of_last_norm;
static float *embedded, *stream, *normed, *logits, *d_logits, *d_stream, *d_below;
static int *tokens, *targets;

/* ---- where tensors lie: one after another, in the order in which TinyLlama names them ------- */

typedef struct {
  const char *name; /* within its layer, or in the model */
  int layer;        /* NOWHERE: in none */
  int begins, rows, columns; /* one row: a vector */
} Tensor;

static Tensor *list;
static int n_tensors, n_parameters;

/* What is done once a run may be slow, and is to be short: a browser loads it. */
#define ONCE __attribute__((minsize, noinline))

ONCE static int tensor(const char *name, int layer, int rows, int columns) {
  int begins = n_parameters;
  if (list) list[n_tensors] = (Tensor){name, layer, begins, rows, columns};
  n_tensors += 1;
  n_parameters += rows * columns;
  return begins;
}

static int vector(const char *name, int layer, int n) { return tensor(name, layer, 1, n); }

ONCE static Norm norm(const char *weight, const char *bias, int layer, int is_there, int width) {
  is_there = is_there && sizes.has_norm;
  return (Norm){
      .is_present = is_there, .width = width,
      .weight = is_there && sizes.norm_scales ? vector(weight, layer, width) : NOWHERE,
      .bias = is_there && sizes.norm_shifts ? vector(bias, layer, width) : NOWHERE,
  };
}
#define NORM(name, layer, is_there, width) norm(name ".weight", name ".bias", layer, is_there, width)

ONCE static Linear linear(const char *weight, const char *bias, int layer, int out, int in, int has_bias) {
  Linear l = {.in = in, .out = out, .weight = tensor(weight, layer, out, in)};
  l.bias = has_bias ? vector(bias, layer, out) : NOWHERE;
  return l;
}
#define LINEAR(name, layer, out, in, has_bias) \
  linear(name ".weight", name ".bias", layer, out, in, has_bias)

ONCE static void lay_out_attention(Layer *l, int i) {
  int heads = sizes.n_heads * sizes.d_head, keys = sizes.n_kv_heads * sizes.d_head;
  int has_norm = sizes.qk_norm != NO_QK_NORM, is_all = sizes.qk_norm == NORM_OF_ALL;
  l->qkv = LINEAR("attention.to_qkv", i, heads + 2 * keys, sizes.d_model, sizes.qkv_bias);
  l->output = LINEAR("attention.to_output", i, sizes.d_model, heads, sizes.output_bias);
  l->query_norm = NORM("attention.query_norm", i, has_norm, is_all ? heads : sizes.d_head);
  l->key_norm = NORM("attention.key_norm", i, has_norm, is_all ? keys : sizes.d_head);
}

ONCE static void lay_out_feed_forward(Layer *l, int i) {
  int d = sizes.d_model, f = sizes.d_hidden, has_bias = sizes.feed_forward_bias;
  if (sizes.has_gate) l->gate = LINEAR("feed_forward.to_gate", i, f, d, has_bias);
  l->up = LINEAR("feed_forward.to_up", i, f, d, has_bias);
  l->down = LINEAR("feed_forward.to_down", i, d, f, has_bias);
}

ONCE static void lay_out_layer(Layer *l, int i) {
  int at_part = sizes.norms_before || sizes.norms_after, d = sizes.d_model;
  int shares = sizes.feed_forward_reads == NORMED, feeds = sizes.activation != NO_FEED_FORWARD;
  int attends = sizes.has_attention;
  l->attention_norm = NORM("attention_norm", i, at_part && (attends || (shares && feeds)), d);
  if (attends) lay_out_attention(l, i);
  l->attention_output_norm = NORM("attention_output_norm", i, sizes.norms_output && attends, d);
  l->feed_forward_norm = NORM("feed_forward_norm", i, at_part && feeds && !shares, d);
  if (feeds) lay_out_feed_forward(l, i);
  l->feed_forward_output_norm = NORM("feed_forward_output_norm", i, sizes.norms_output && feeds, d);
}

ONCE static void lay_out(void) {
  int d = sizes.d_model;
  n_tensors = n_parameters = 0;
  embedding = tensor("embedding.weight", NOWHERE, sizes.vocab_size, d);
  embedding_norm = NORM("embedding_norm", NOWHERE, sizes.has_embedding_norm, d);
  if (sizes.position == LEARNED)
    position_table = tensor("position.table", NOWHERE, sizes.context, d);
  for (int i = 0; i < sizes.n_layers; i++) lay_out_layer(&layers[i], i);
  last_norm = NORM("norm", NOWHERE, !sizes.norms_after, d);
  unembedding = (Linear){.in = d, .out = sizes.vocab_size, .weight = embedding, .bias = NOWHERE};
  if (!sizes.is_tied) unembedding.weight = tensor("unembedding.weight", NOWHERE, unembedding.out, d);
  if (sizes.unembedding_bias) unembedding.bias = vector("unembedding.bias", NOWHERE, unembedding.out);
}

/* ---- room for what a forward pass keeps ----------------------------------------------------- */

ONCE static Statistics statistics(size n) { return (Statistics){floats(n), floats(n)}; }

ONCE static void keep_attention(const Layer *l, Kept *k, size rows) {
  size of_all = sizes.qk_norm == NORM_OF_HEAD ? sizes.n_heads : 1;
  k->qkv = floats(rows * qkv_width());
  k->queries_keys = floats(rows * queries_keys_width());
  k->pattern = floats((size)sizes.n_texts * sizes.n_heads * sizes.context * sizes.context);
  k->heads = floats(rows * sizes.n_heads * sizes.d_head);
  k->attention_given = floats(rows * sizes.d_model);
  k->attention_output_norm = statistics(rows);
  k->query_norm = statistics(l->query_norm.is_present ? rows * of_all : 1);
  k->key_norm = statistics(l->key_norm.is_present ? rows * of_all : 1);
}

ONCE static void keep_feed_forward(Kept *k, size rows) {
  k->gate = sizes.has_gate ? floats(rows * sizes.d_hidden) : 0;
  k->up = floats(rows * sizes.d_hidden);
  k->hidden = floats(rows * sizes.d_hidden);
  k->feed_forward_given = floats(rows * sizes.d_model);
  k->feed_forward_output_norm = statistics(rows);
}

ONCE static void keep(const Layer *l, Kept *k) {
  size rows = (size)sizes.n_texts * sizes.context, n = rows * sizes.d_model;
  int is_after = sizes.norms_after;
  k->x = floats(n);
  k->attention_input = l->attention_norm.is_present && !is_after ? floats(n) : k->x;
  k->attention_sum = floats(n);
  k->middle = l->attention_norm.is_present && is_after ? floats(n) : k->attention_sum;
  k->feed_forward_input =
      l->feed_forward_norm.is_present && !is_after ? floats(n) : read_by_feed_forward(k);
  k->sum = l->feed_forward_norm.is_present && is_after ? floats(n) : 0;
  k->attention_norm = statistics(rows);
  k->feed_forward_norm = statistics(rows);
  if (sizes.has_attention) keep_attention(l, k, rows);
  if (sizes.activation) keep_feed_forward(k, rows);
}

ONCE static void make_room(void) {
  size rows = (size)sizes.n_texts * sizes.context, n = rows * sizes.d_model;
  kept = (Kept *)floats((size)sizes.n_layers * sizeof(Kept) / sizeof(float));
  for (int i = 0; i < sizes.n_layers; i++) keep(&layers[i], &kept[i]);
  if (sizes.has_attention) prepare_attention();
  if (sizes.activation) prepare_feed_forward();
  prepare_blocks();
  embedded = embedding_norm.is_present ? floats(n) : 0;
  stream = floats(n);
  normed = last_norm.is_present ? floats(n) : stream;
  of_embedding_norm = statistics(rows);
  of_last_norm = statistics(rows);
  logits = floats(rows * sizes.vocab_size);
  d_logits = floats(rows * sizes.vocab_size);
  d_stream = floats(n);
  d_below = floats(n);
  tokens = integers(rows);
  targets = integers(rows);
}

/* Layers that turn alike share one table. */
static void prepare_positions(const int *windows, const double *thetas) {
  size n = (size)sizes.context * (sizes.d_turned / 2);
  for (int i = 0; i < sizes.n_layers; i++) {
    layers[i].window = windows[i];
    int same = 0;
    while (same < i && thetas[same] != thetas[i]) same++;
    layers[i].cos = layers[same].cos;
    layers[i].sin = layers[same].sin;
    if (same == i && thetas[i] > 0) {
      layers[i].cos = floats(n);
      layers[i].sin = floats(n);
      angles(thetas[i], sizes.context, layers[i].cos, layers[i].sin);
    }
  }
  if (sizes.position == SINUSOIDAL) {
    position_waves = floats((size)sizes.context * sizes.d_model);
    waves(sizes.context, position_waves);
  }
  if (sizes.position == ALIBI) slopes(sizes.n_heads, alibi_slopes = floats(sizes.n_heads));
}

/* Set a model up, all its parameters 0; what was there before is gone. Windows and thetas are one
 * a layer, 0 for none. Gives the number of parameters. */
EXPORT(set_up)
int set_up(const Sizes *given, const Reals *also, const int *windows, const double *thetas) {
  sizes = *given;
  reals = *also;
  layers = (Layer *)floats((size)sizes.n_layers * sizeof(Layer) / sizeof(float) + 1);
  list = 0;
  lay_out();
  list = (Tensor *)floats((size)n_tensors * sizeof(Tensor) / sizeof(float));
  lay_out();
  parameters = floats(n_parameters);
  gradients = floats(n_parameters);
  prepare_positions(windows, thetas);
  make_room();
  return n_parameters;
}

EXPORT(start_over) void start_over(void) { give_back_all(); }

EXPORT(parameters_at) float *parameters_at(void) { return parameters; }
EXPORT(gradients_at) float *gradients_at(void) { return gradients; }
EXPORT(tokens_at) int *tokens_at(void) { return tokens; }
EXPORT(targets_at) int *targets_at(void) { return targets; }
EXPORT(tensors_at) Tensor *tensors_at(void) { return list; }
EXPORT(count_tensors) int count_tensors(void) { return n_tensors; }

/* Matrices decay, vectors do not. */
int decays(int tensor) { return list[tensor].rows > 1; }
int begin_of(int tensor) { return list[tensor].begins; }
int length_of(int tensor) { return list[tensor].rows * list[tensor].columns; }

/* ---- from tokens to logits and back --------------------------------------------------------- */

static void embed(Rows rows, float *x) {
  int d = sizes.d_model;
  float *to = embedding_norm.is_present ? embedded + (size)rows.first * d : x;
  for (int r = 0; r < rows.n; r++) {
    const float *row = parameters + embedding + (size)tokens[rows.first + r] * d;
    for (int i = 0; i < d; i++) to[(size)r * d + i] = row[i] * reals.embedding_scale;
  }
  if (embedding_norm.is_present)
    norm_forward(&embedding_norm, rows.n, to, d, x, d, of_embedding_norm);
  add_positions(rows, x);
}

static void embed_backward(int rows, float *dx) {
  int d = sizes.d_model;
  if (sizes.position == LEARNED)
    for (int r = 0; r < rows; r++)
      add(gradients + position_table + (size)(r % sizes.context) * d, dx + (size)r * d, d);
  if (embedding_norm.is_present)
    norm_backward(&embedding_norm, rows, embedded, d, dx, d, of_embedding_norm, dx, d, 0);
  for (int r = 0; r < rows; r++) {
    float *row = gradients + embedding + (size)tokens[r] * d;
    for (int i = 0; i < d; i++) row[i] += dx[(size)r * d + i] * reals.embedding_scale;
  }
}

static float *input_of(int layer) { return layer < sizes.n_layers ? kept[layer].x : stream; }

static void forward(Rows rows) {
  int d = sizes.d_model;
  size at = (size)rows.first * d, n = (size)rows.n * sizes.vocab_size;
  float *z = logits + (size)rows.first * sizes.vocab_size;
  embed(rows, input_of(0) + at);
  for (int i = 0; i < sizes.n_layers; i++)
    block_forward(&layers[i], &kept[i], rows, input_of(i + 1) + at);
  if (last_norm.is_present)
    norm_forward(&last_norm, rows.n, stream + at, d, normed + at, d, of_last_norm);
  linear_forward(&unembedding, rows.n, normed + at, z);
  if (reals.logit_softcap > 0.f) cap_forward(reals.logit_softcap, n, z);
}

static void backward(int n_texts) {
  int rows = n_texts * sizes.context, d = sizes.d_model;
  fill(gradients, n_parameters, 0.f);
  if (reals.logit_softcap > 0.f)
    cap_backward(reals.logit_softcap, (size)rows * sizes.vocab_size, logits, d_logits);
  linear_backward(&unembedding, rows, normed, d_logits, d_stream, 0);
  if (last_norm.is_present)
    norm_backward(&last_norm, rows, stream, d, d_stream, d, of_last_norm, d_stream, d, 0);
  for (int i = sizes.n_layers - 1; i >= 0; i--) {
    block_backward(&layers[i], &kept[i], n_texts, d_stream, d_below);
    float *turned = d_stream;
    d_stream = d_below;
    d_below = turned;
  }
  embed_backward(rows, d_stream);
}

/* Read texts, give the mean loss, and leave its gradient in `gradients`. */
EXPORT(differentiate) double differentiate(int n_texts, double label_smoothing) {
  forward((Rows){0, n_texts * sizes.context});
  double loss =
      cross_entropy(n_texts * sizes.context, logits, targets, label_smoothing, d_logits);
  backward(n_texts);
  return loss;
}

static int n_counted, n_right;
EXPORT(counted) int counted(void) { return n_counted; }
EXPORT(right) int right(void) { return n_right; }

/* Read texts and give the sum of the losses of the tokens that count; how many those are, and of how
 * many of them the model finds the right one likeliest, is asked for next. */
EXPORT(judge) double judge(int n_texts) {
  n_counted = n_right = 0;
  forward((Rows){0, n_texts * sizes.context});
  return sum_of_losses(n_texts * sizes.context, logits, targets, &n_counted, &n_right);
}

/* Read one more token of the first text, at a position whose predecessors have been read just
 * before, and give where its logits lie. Queries, keys and values stay where they were computed, so
 * that is all there is to a KV cache. */
EXPORT(read_token) float *read_token(int position, int token) {
  tokens[position] = token;
  forward((Rows){position, 1});
  return logits + (size)position * sizes.vocab_size;
}
