/* RMSNorm (arXiv:1910.07467) and the kinds of LayerNorm (arXiv:1607.06450), row by row.
 *
 * y = weight * u + bias with u = (x - mean) * scale and scale = 1 / sqrt(var + eps); RMSNorm has no
 * mean and no bias.
 */
#include "engine.h"

static float mean_of(int n, const float *x) {
  float sum = 0.f;
  for (int i = 0; i < n; i++) sum += x[i];
  return sum / (float)n;
}

static float mean_square(int n, const float *x, float mean) {
  float sum = 0.f;
  for (int i = 0; i < n; i++) sum += (x[i] - mean) * (x[i] - mean);
  return sum / (float)n;
}

static void normalize(const Norm *n, const float *x, float *y, float mean, float scale) {
  const float *weight = parameters + n->weight, *bias = parameters + n->bias;
  for (int i = 0; i < n->width; i++) y[i] = (x[i] - mean) * scale;
  if (n->weight != NOWHERE)
    for (int i = 0; i < n->width; i++) y[i] *= weight[i];
  if (n->bias != NOWHERE) add(y, bias, n->width);
}

void norm_forward(const Norm *n, int rows, const float *x, int x_row, float *y, int y_row,
                  Statistics found) {
  for (int r = 0; r < rows; r++, x += x_row, y += y_row) {
    float mean = sizes.norm_subtracts_mean ? mean_of(n->width, x) : 0.f;
    float scale = 1.f / __builtin_sqrtf(mean_square(n->width, x, mean) + reals.norm_eps);
    found.mean[r] = mean;
    found.scale[r] = scale;
    normalize(n, x, y, mean, scale);
  }
}

/* With g = dy * weight: dx = scale (g - mean(g) - u mean(g u)), the first mean where one is
 * subtracted; dweight is the sum of dy u, dbias that of dy. */
static void row_backward(const Norm *n, const float *x, const float *dy, float mean, float scale,
                         float *dx, int adds) {
  int width = n->width;
  const float *weight = parameters + n->weight;
  int scales = n->weight != NOWHERE;
  float sum = 0.f, sum_u = 0.f;
  for (int i = 0; i < width; i++) {
    float u = (x[i] - mean) * scale, g = scales ? dy[i] * weight[i] : dy[i];
    sum += g;
    sum_u += g * u;
  }
  float taken = sizes.norm_subtracts_mean ? sum / (float)width : 0.f, taken_u = sum_u / (float)width;
  for (int i = 0; i < width; i++) {
    float u = (x[i] - mean) * scale, g = scales ? dy[i] * weight[i] : dy[i];
    float d = scale * (g - taken - u * taken_u);
    dx[i] = adds ? dx[i] + d : d;
  }
}

void norm_backward(const Norm *n, int rows, const float *x, int x_row, const float *dy, int dy_row,
                   Statistics found, float *dx, int dx_row, int adds) {
  float *for_weight = gradients + n->weight, *for_bias = gradients + n->bias;
  for (int r = 0; r < rows; r++, x += x_row, dy += dy_row, dx += dx_row) {
    float mean = found.mean[r], scale = found.scale[r];
    if (n->weight != NOWHERE)
      for (int i = 0; i < n->width; i++) for_weight[i] += dy[i] * ((x[i] - mean) * scale);
    if (n->bias != NOWHERE) add(for_bias, dy, n->width);
    row_backward(n, x, dy, mean, scale, dx, adds);
  }
}
