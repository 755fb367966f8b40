/* AdamW (arXiv:1711.05101), the step that torch.optim.AdamW takes, behind gradient clipping. */
#include "engine.h"

#define EPSILON 1e-8

static float *means, *squares;
static int n_parameters;

EXPORT(prepare_optimizer) void prepare_optimizer(int n) {
  n_parameters = n;
  means = floats(n);
  squares = floats(n);
}

EXPORT(means_at) float *means_at(void) { return means; }
EXPORT(squares_at) float *squares_at(void) { return squares; }

EXPORT(gradient_norm) double gradient_norm(void) {
  double sum = 0;
  for (int i = 0; i < n_parameters; i++) sum += (double)gradients[i] * gradients[i];
  return __builtin_sqrt(sum);
}

/* Shorten the gradient to a length, if it is longer; 0: any length will do. */
static float clipping(double norm, double longest) {
  double factor = longest / (norm + 1e-6);
  return longest > 0 && factor < 1 ? (float)factor : 1.f;
}

typedef struct {
  double learning_rate, beta1, beta2, weight_decay, clip;
  int step; /* from 1 */
} Step;

static double power(double base, int exponent) {
  double result = 1;
  for (; exponent; exponent >>= 1, base *= base)
    if (exponent & 1) result *= base;
  return result;
}

static void move(const Step *s, int begin, int n, float shorter, double weight_decay) {
  float *w = parameters + begin, *m = means + begin, *v = squares + begin;
  const float *g = gradients + begin;
  float beta1 = (float)s->beta1, beta2 = (float)s->beta2;
  float new1 = (float)(1 - s->beta1), new2 = (float)(1 - s->beta2);
  float length = (float)(s->learning_rate / (1 - power(s->beta1, s->step)));
  float root = (float)(1 / __builtin_sqrt(1 - power(s->beta2, s->step)));
  float keeps = (float)(1 - s->learning_rate * weight_decay);
  for (int i = 0; i < n; i++) {
    float gradient = g[i] * shorter;
    m[i] = m[i] * beta1 + gradient * new1;
    v[i] = v[i] * beta2 + gradient * gradient * new2;
    w[i] = w[i] * keeps - length * m[i] / (__builtin_sqrtf(v[i]) * root + (float)EPSILON);
  }
}

/* Move all parameters by their gradients; gives the gradient's length before it was clipped. */
EXPORT(take_step) double take_step(const Step *s) {
  double norm = gradient_norm();
  float shorter = clipping(norm, s->clip);
  for (int i = 0; i < count_tensors(); i++)
    move(s, begin_of(i), length_of(i), shorter, decays(i) ? s->weight_decay : 0);
  return norm;
}
