/* A tiny LLaMA that learns inside a web page: what its files share.
 *
 * One idea a file, each forward beside its backward. Everything is float32 and lies in the one
 * memory of a WebAssembly module, which the host (a Web Worker, or a test) reads and writes.
 *
 * Letters: B texts of T tokens make R = B T rows; d is the model's width, e a head's, f the hidden
 * layer's, h counts heads, g heads of keys and values.
 */
#ifndef ENGINE_H
#define ENGINE_H

#define EXPORT(name) __attribute__((export_name(#name)))
#define NOWHERE (-1)

typedef unsigned long size;

/* ---- memory.c: room that is taken once and given back all at once -------------------------- */

float *floats(size n);
int *integers(size n);
void give_back_all(void);
void fill(float *to, size n, float value);
void copy(float *to, const float *from, size n);
void add(float *to, const float *from, size n);

/* ---- product.c: matrices ------------------------------------------------------------------- */

typedef struct {
  float *at;
  int row, column; /* how far apart rows and columns lie */
} Matrix;

/* C = scale A B, or C += scale A B; A is m k, B is k n, C is m n. Columns of C lie side by side, and
 * of A and B rows or columns do. */
void product(int m, int n, int k, Matrix a, Matrix b, Matrix c, float scale, int adds);

/* Of attention's pattern only a band along its diagonal is wanted, by the others computed or read: up
 * to BESIDE numbers on either side of a row are read, too, and must be 0. */
enum Band { WHOLE, PATTERN_AS_C, PATTERN_AS_A, TURNED_PATTERN_AS_A };
enum { BESIDE = 3 };
void banded_product(enum Band band, int window, int m, int n, int k, Matrix a, Matrix b, Matrix c,
                    float scale, int adds);

typedef struct {
  int in, out;
  int weight, bias; /* where they begin in the parameters; NOWHERE: there is none */
} Linear;

void linear_forward(const Linear *l, int rows, const float *x, float *y);
void linear_backward(const Linear *l, int rows, const float *x, const float *dy, float *dx, int adds);

/* ---- norms.c ------------------------------------------------------------------------------- */

typedef struct {
  int is_present, width;
  int weight, bias;
} Norm;

typedef struct {
  float *mean, *scale; /* of each row: its mean, if that is subtracted, and what it is multiplied by */
} Statistics;

void norm_forward(const Norm *n, int rows, const float *x, int x_row, float *y, int y_row,
                  Statistics found);
void norm_backward(const Norm *n, int rows, const float *x, int x_row, const float *dy, int dy_row,
                   Statistics found, float *dx, int dx_row, int adds);

/* ---- model.c: sizes, and where every tensor lies ------------------------------------------- */

enum Position { NO_POSITION, ROPE, LEARNED, SINUSOIDAL, ALIBI };
enum QueryKeyNorm { NO_QK_NORM, NORM_OF_HEAD, NORM_OF_ALL };
enum FeedForwardReads { MIDDLE, NORMED, STREAM };
enum Activation { NO_FEED_FORWARD, SILU, GELU, EXACT_GELU, RELU, SQUARED_RELU };

/* In the order in which the host writes them, one int each. */
typedef struct {
  int vocab_size, context, n_layers, d_model, n_heads, n_kv_heads, d_head, d_hidden, d_turned;
  int has_norm, norm_subtracts_mean, norm_scales, norm_shifts;
  int norms_before, norms_output, norms_after;
  int feed_forward_reads, qk_norm, position, has_attention, activation, has_gate;
  int qkv_bias, output_bias, feed_forward_bias, unembedding_bias;
  int is_tied, has_embedding_norm;
  int n_texts; /* read at once, at most */
} Sizes;

/* Likewise, one float each; a soft-cap of 0 is none. */
typedef struct {
  float norm_eps, embedding_scale, attention_softcap, logit_softcap;
} Reals;

extern Sizes sizes;
extern Reals reals;
extern float *parameters, *gradients;

typedef struct {
  int window;       /* tokens that a token reads, itself included; 0: all before it */
  float *cos, *sin; /* of the angles, T d_turned/2; 0: nothing turns */
  Norm attention_norm, query_norm, key_norm, attention_output_norm;
  Norm feed_forward_norm, feed_forward_output_norm;
  Linear qkv, output, gate, up, down;
} Layer;

/* Some of the R rows: whole texts, or one token alone, for which those before it were read. */
typedef struct {
  int first, n;
} Rows;

/* What a layer keeps of its forward pass for its backward pass. */
typedef struct {
  float *x, *attention_input, *qkv, *queries_keys, *pattern, *heads, *attention_given;
  float *attention_sum, *middle, *feed_forward_input, *gate, *up, *hidden, *feed_forward_given;
  float *sum;
  Statistics attention_norm, query_norm, key_norm, attention_output_norm;
  Statistics feed_forward_norm, feed_forward_output_norm;
} Kept;

/* ---- positions.c --------------------------------------------------------------------------- */

void angles(double theta, int n_positions, float *cos_of, float *sin_of);
void turn(const Layer *l, Rows rows, float *x, int row, int n_heads, float sign);
void waves(int n_positions, float *table);
void slopes(int n_heads, float *of);
extern float *alibi_slopes;

/* ---- attention.c, feed_forward.c, block.c -------------------------------------------------- */

void prepare_attention(void);
void attention_forward(const Layer *l, const Kept *k, Rows rows, const float *x, float *y);
void attention_backward(const Layer *l, const Kept *k, int n_texts, const float *x,
                        const float *dy, float *dx, int adds);
int qkv_width(void);
int queries_keys_width(void);

void prepare_feed_forward(void);
void feed_forward_forward(const Layer *l, const Kept *k, Rows rows, const float *x, float *y);
void feed_forward_backward(const Layer *l, const Kept *k, int rows, const float *x,
                           const float *dy, float *dx, int adds);

void prepare_blocks(void);
/* Where the feed-forward, or the norm before it, finds what it reads. */
float *read_by_feed_forward(const Kept *k);
void block_forward(const Layer *l, const Kept *k, Rows rows, float *y);
void block_backward(const Layer *l, const Kept *k, int n_texts, const float *dy, float *dx);

/* ---- loss.c -------------------------------------------------------------------------------- */

/* Targets below 0 do not count. Gives the mean over those that do; where `dz` is not 0, it becomes
 * the gradient by the logits, R v. */
double cross_entropy(int rows, const float *z, const int *targets, double smoothing, float *dz);
double sum_of_losses(int rows, const float *z, const int *targets, int *n_counted, int *n_right);
void cap_forward(float cap, size n, float *z);
void cap_backward(float cap, size n, const float *z, float *dz);

/* ---- model.c, for others ------------------------------------------------------------------- */

extern int position_table;
extern float *position_waves;
void add_positions(Rows rows, float *x);

int count_tensors(void);
int decays(int tensor);
int begin_of(int tensor);
int length_of(int tensor);

#endif
