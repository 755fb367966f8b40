/* Feed-forward networks with a gate (arXiv:2002.05202) and without: y = down(hidden), where hidden
 * is act(gate x) * up x, or act(up x). */
#include "engine.h"
#include "numbers.h"

static float *d_hidden, *d_gate;

void prepare_feed_forward(void) {
  size n = (size)sizes.n_texts * sizes.context * sizes.d_hidden;
  d_hidden = floats(n);
  d_gate = sizes.has_gate ? floats(n) : 0;
}

#define GELU_SCALE 0.7978845608028654f /* sqrt(2 / pi) */
#define GELU_CUBE 0.044715f
#define NORMAL_SCALE 0.3989422804014327f /* 1 / sqrt(2 pi) */

static inline float gelu_tanh(float x) {
  return hyperbolic_tangent(GELU_SCALE * (x + GELU_CUBE * x * x * x));
}

static inline float below(float x) { return 0.5f * (1.f + error_function(x * 0.7071067811865476f)); }

/* Always called with a constant kind, so that each loop below is the one of its activation. */
static inline __attribute__((always_inline)) float bend(enum Activation kind, float x) {
  switch (kind) {
    case SILU: return x * sigmoid(x);
    case GELU: return 0.5f * x * (1.f + gelu_tanh(x));
    case EXACT_GELU: return x * below(x);
    case RELU: return x > 0.f ? x : 0.f;
    case SQUARED_RELU: return x > 0.f ? x * x : 0.f;
    default: return 0.f;
  }
}

static inline __attribute__((always_inline)) float slope(enum Activation kind, float x) {
  switch (kind) {
    case SILU: {
      float s = sigmoid(x);
      return s * (1.f + x * (1.f - s));
    }
    case GELU: {
      float t = gelu_tanh(x);
      float inner = GELU_SCALE * (1.f + 3.f * GELU_CUBE * x * x);
      return 0.5f * (1.f + t) + 0.5f * x * (1.f - t * t) * inner;
    }
    case EXACT_GELU: return below(x) + x * NORMAL_SCALE * exponential(-0.5f * x * x);
    case RELU: return x > 0.f ? 1.f : 0.f;
    case SQUARED_RELU: return x > 0.f ? 2.f * x : 0.f;
    default: return 0.f;
  }
}

#define WITH(kind)                                                                      \
  case kind:                                                                            \
    if (up)                                                                             \
      for (size i = 0; i < n; i++) hidden[i] = bend(kind, before[i]) * up[i];           \
    else                                                                                \
      for (size i = 0; i < n; i++) hidden[i] = bend(kind, before[i]);                   \
    break;

/* `before`: what goes through the activation; `up`: what it is multiplied by, or 0. */
static void bend_all(size n, const float *restrict before, const float *restrict up,
                     float *restrict hidden) {
  switch (sizes.activation) { WITH(SILU) WITH(GELU) WITH(EXACT_GELU) WITH(RELU) WITH(SQUARED_RELU) }
}

#define BACK_WITH(kind)                                                                 \
  case kind:                                                                            \
    if (up)                                                                             \
      for (size i = 0; i < n; i++) {                                                    \
        float g = d[i];                                                                 \
        d[i] = g * bend(kind, before[i]);                                               \
        d_before[i] = g * up[i] * slope(kind, before[i]);                               \
      }                                                                                 \
    else                                                                                \
      for (size i = 0; i < n; i++) d[i] *= slope(kind, before[i]);                      \
    break;

/* `d`: the gradient by hidden, which becomes that by up (or by `before`, without a gate). */
static void unbend_all(size n, const float *restrict before, const float *restrict up,
                       float *restrict d, float *restrict d_before) {
  switch (sizes.activation) {
    BACK_WITH(SILU) BACK_WITH(GELU) BACK_WITH(EXACT_GELU) BACK_WITH(RELU) BACK_WITH(SQUARED_RELU)
  }
}

void feed_forward_forward(const Layer *l, const Kept *k, Rows rows, const float *x, float *y) {
  size n = (size)rows.n * sizes.d_hidden, at = (size)rows.first * sizes.d_hidden;
  float *up = k->up + at, *gate = k->gate + at, *hidden = k->hidden + at;
  linear_forward(&l->up, rows.n, x, up);
  if (sizes.has_gate) linear_forward(&l->gate, rows.n, x, gate);
  if (sizes.has_gate) bend_all(n, gate, up, hidden);
  else bend_all(n, up, 0, hidden);
  linear_forward(&l->down, rows.n, hidden, y);
}

void feed_forward_backward(const Layer *l, const Kept *k, int rows, const float *x,
                           const float *dy, float *dx, int adds) {
  size n = (size)rows * sizes.d_hidden;
  linear_backward(&l->down, rows, k->hidden, dy, d_hidden, 0);
  if (sizes.has_gate) {
    unbend_all(n, k->gate, k->up, d_hidden, d_gate);
    linear_backward(&l->gate, rows, x, d_gate, dx, adds);
  } else {
    unbend_all(n, k->up, 0, d_hidden, 0);
  }
  linear_backward(&l->up, rows, x, d_hidden, dx, adds || sizes.has_gate);
}
