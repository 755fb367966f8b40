/* Cross-entropy, in nats, and soft-caps (arXiv:2408.00118). */
#include "engine.h"
#include "numbers.h"
#include "vectors.h"

/* Give log(sum of e^z), and, where `p` is not 0, e^z as shares of that sum. */
static double log_sum(int n, const float *z, float *p) {
  float most = largest(n, z), sum = 0.f;
  if (p) {
    for (int i = 0; i < n; i++) p[i] = exponential(z[i] - most);
    for (int i = 0; i < n; i++) sum += p[i];
    float share = 1.f / sum;
    for (int i = 0; i < n; i++) p[i] *= share;
  } else {
    for (int i = 0; i < n; i++) sum += exponential(z[i] - most);
  }
  return host_log(sum) + most;
}

static int count(int rows, const int *targets) {
  int n = 0;
  for (int r = 0; r < rows; r++) n += targets[r] >= 0;
  return n;
}

/* What is wanted is 1 - smoothing at the target, and smoothing shared out over all. */
static double row_loss(int n, const float *z, int target, double smoothing, float *p) {
  double sum = 0, at_all = log_sum(n, z, p);
  if (smoothing > 0)
    for (int i = 0; i < n; i++) sum += z[i];
  return at_all - (1 - smoothing) * z[target] - smoothing * sum / n;
}

double cross_entropy(int rows, const float *z, const int *targets, double smoothing, float *dz) {
  int n = sizes.vocab_size, n_counted = count(rows, targets);
  float share = 1.f / (float)n_counted, everywhere = (float)(smoothing / n);
  double loss = 0;
  for (int r = 0; r < rows; r++, z += n, dz += n) {
    if (targets[r] < 0) {
      fill(dz, n, 0.f);
      continue;
    }
    loss += row_loss(n, z, targets[r], smoothing, dz);
    for (int i = 0; i < n; i++) dz[i] = (dz[i] - everywhere) * share;
    dz[targets[r]] -= (float)(1 - smoothing) * share;
  }
  return loss / n_counted;
}

double sum_of_losses(int rows, const float *z, const int *targets, int *n_counted, int *n_right) {
  int n = sizes.vocab_size;
  double loss = 0;
  for (int r = 0; r < rows; r++, z += n) {
    if (targets[r] < 0) continue;
    loss += row_loss(n, z, targets[r], 0, 0);
    *n_counted += 1;
    *n_right += z[targets[r]] >= largest(n, z);
  }
  return loss;
}

void cap_forward(float cap, size n, float *z) {
  for (size i = 0; i < n; i++) z[i] = cap * hyperbolic_tangent(z[i] / cap);
}

/* `z` as it was capped; the slope of tanh is 1 - tanh^2. */
void cap_backward(float cap, size n, const float *z, float *dz) {
  for (size i = 0; i < n; i++) dz[i] *= 1.f - (z[i] / cap) * (z[i] / cap);
}
