/* Four numbers at once, where the compiler does not see by itself that it may. */
#ifndef VECTORS_H
#define VECTORS_H

typedef float Four __attribute__((vector_size(16), aligned(4), may_alias));

#define LOAD(from) (*(const Four *)(from))
#define STORE(to, value) (*(Four *)(to) = (value))
#define ALL(x) ((Four){(x), (x), (x), (x)})
#ifdef __wasm_relaxed_simd__
#define MULTIPLY_ADD(a, b, c) __builtin_wasm_relaxed_madd_f32x4(a, b, c)
#else
#define MULTIPLY_ADD(a, b, c) ((a) * (b) + (c))
#endif

/* Write four rows of four numbers as columns. */
static inline void turn_four(const float *from, int from_row, float *to, int to_row) {
  Four a = LOAD(from), b = LOAD(from + from_row);
  Four c = LOAD(from + 2 * from_row), d = LOAD(from + 3 * from_row);
  Four ab = __builtin_shufflevector(a, b, 0, 4, 1, 5);
  Four cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
  STORE(to, __builtin_shufflevector(ab, cd, 0, 1, 4, 5));
  STORE(to + to_row, __builtin_shufflevector(ab, cd, 2, 3, 6, 7));
  ab = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  cd = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  STORE(to + 2 * to_row, __builtin_shufflevector(ab, cd, 0, 1, 4, 5));
  STORE(to + 3 * to_row, __builtin_shufflevector(ab, cd, 2, 3, 6, 7));
}

/* The largest of one number or more; a comparison with NaN keeps what there was. */
static inline float largest(int n, const float *x) {
  Four found = ALL(x[0]);
  int i = 0;
  for (; i + 4 <= n; i += 4) found = __builtin_wasm_pmax_f32x4(found, LOAD(x + i));
  float one = found[0] > found[1] ? found[0] : found[1];
  float other = found[2] > found[3] ? found[2] : found[3];
  float most = one > other ? one : other;
  for (; i < n; i++) most = x[i] > most ? x[i] : most;
  return most;
}

#endif
