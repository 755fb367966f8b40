/* Functions that a processor does not have. Written without branches, so that the compiler makes
 * four at once of them. */
#ifndef NUMBERS_H
#define NUMBERS_H

static inline float as_float(int bits) {
  union { int i; float f; } both = {.i = bits};
  return both.f;
}

/* e^x to a unit in the last place or two: 2^n e^r with |r| <= ln(2)/2, and a polynomial for e^r
 * (S. L. Moshier's Cephes library). */
static inline float exponential(float x) {
  x = x < -87.3f ? -87.3f : x;
  x = x > 88.3f ? 88.3f : x;
  float n = __builtin_rintf(x * 1.44269504f);
  float r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.f;
  return p * as_float(((int)n + 127) << 23);
}

static inline float sigmoid(float x) { return 1.f / (1.f + exponential(-x)); }

/* Near 0, where 1 - 2 / (e^2x + 1) would lose digits, a polynomial (Cephes again). */
static inline float hyperbolic_tangent(float x) {
  float s = x * x;
  float p = -5.70498872745e-3f;
  p = p * s + 2.06390887954e-2f;
  p = p * s - 5.37397155531e-2f;
  p = p * s + 1.33314422036e-1f;
  p = p * s - 3.33332819422e-1f;
  float near = p * s * x + x;
  float far = 1.f - 2.f / (exponential(2.f * x) + 1.f);
  return __builtin_fabsf(x) < 0.625f ? near : far;
}

/* The error function to about a unit in the last place: two minimax polynomials, by N. Juffa. */
static inline float error_function(float x) {
  float t = __builtin_fabsf(x), s = x * x;
  float far = -1.72853470e-5f * t + 3.83197126e-4f;
  far = far * s + (-3.88396438e-3f * t + 2.42546219e-2f);
  far = far * t - 1.06777877e-1f;
  far = far * t - 6.34846687e-1f;
  far = far * t - 1.28717512e-1f;
  far = __builtin_copysignf(1.f - exponential(far * t - t), x);
  float near = -5.96761703e-4f;
  near = near * s + 4.99119423e-3f;
  near = near * s - 2.67681349e-2f;
  near = near * s + 1.12819925e-1f;
  near = near * s - 3.76125336e-1f;
  near = near * s + 1.28379166e-1f;
  return t > 0.927734375f ? far : near * x + x;
}

/* The host's, in double precision; for tables and for one logarithm a row. */
#define IMPORT(name) __attribute__((import_module("host"), import_name(#name)))
IMPORT(cos) double host_cos(double x);
IMPORT(sin) double host_sin(double x);
IMPORT(log) double host_log(double x);
IMPORT(pow) double host_pow(double x, double y);

#endif
