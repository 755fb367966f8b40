/* Where order comes in: turned queries and keys (RoPE, arXiv:2104.09864), rows that are added
 * (arXiv:1705.03122, arXiv:1706.03762), or a bias by distance (ALiBi, arXiv:2108.12409). */
#include "engine.h"
#include "numbers.h"

float *alibi_slopes;

/* The cosines and sines by which pair i of a position turns: position * theta^(-2i / d_turned). */
void angles(double theta, int n_positions, float *cos_of, float *sin_of) {
  int half = sizes.d_turned / 2;
  for (int i = 0; i < half; i++) {
    double frequency = host_pow(theta, -2.0 * i / sizes.d_turned);
    for (int t = 0; t < n_positions; t++) {
      cos_of[t * half + i] = (float)host_cos(t * frequency);
      sin_of[t * half + i] = (float)host_sin(t * frequency);
    }
  }
}

/* Turn the pairs (i, i + d_turned/2) of every head in place; sign -1 turns them back, which is the
 * gradient. */
void turn(const Layer *l, Rows rows, float *x, int row, int n_heads, float sign) {
  int half = sizes.d_turned / 2;
  if (!l->cos) return;
  for (int r = 0; r < rows.n; r++) {
    int position = (rows.first + r) % sizes.context;
    const float *c = l->cos + (size)position * half, *s = l->sin + (size)position * half;
    for (int h = 0; h < n_heads; h++) {
      float *restrict a = x + (size)r * row + h * sizes.d_head, *restrict b = a + half;
      for (int i = 0; i < half; i++) {
        float one = a[i], other = b[i], sin = sign * s[i];
        a[i] = one * c[i] - other * sin;
        b[i] = other * c[i] + one * sin;
      }
    }
  }
}

/* Sines at even coordinates, cosines at odd ones, from fast to slow, T d. */
void waves(int n_positions, float *table) {
  int d = sizes.d_model;
  for (int i = 0; i < d; i += 2) {
    double frequency = host_pow(10000.0, -(double)i / d);
    for (int t = 0; t < n_positions; t++) {
      table[(size)t * d + i] = (float)host_sin(t * frequency);
      table[(size)t * d + i + 1] = (float)host_cos(t * frequency);
    }
  }
}

/* A geometric series down to 2^-8; for a number of heads that is no power of two, that of the next
 * lower power, then every other slope of the next higher one. */
void slopes(int n_heads, float *of) {
  int power = 1;
  while (2 * power <= n_heads) power *= 2;
  for (int i = 0; i < power; i++) of[i] = (float)host_pow(2, -8.0 * (i + 1) / power);
  for (int i = 0; i < n_heads - power; i++)
    of[power + i] = (float)host_pow(2, -4.0 * (2 * i + 1) / power);
}

/* To the embedded rows, of which the first is the first in `x`. */
void add_positions(Rows rows, float *x) {
  int d = sizes.d_model;
  const float *table = sizes.position == LEARNED      ? parameters + position_table
                       : sizes.position == SINUSOIDAL ? position_waves
                                                      : 0;
  if (!table) return;
  for (int r = 0; r < rows.n; r++)
    add(x + (size)r * d, table + (size)((rows.first + r) % sizes.context) * d, d);
}
