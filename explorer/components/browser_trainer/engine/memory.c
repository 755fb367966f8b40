/* Room that is taken once, when a model is set up, and given back all at once. */
#include "engine.h"

extern unsigned char __heap_base;

#define PAGE 65536ul
#define ALIGNMENT 64ul

static size top;

static void *take(size bytes) {
  if (!top) top = (size)&__heap_base;
  size begins = (top + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
  top = begins + bytes;
  size there = __builtin_wasm_memory_size(0) * PAGE;
  if (top > there && __builtin_wasm_memory_grow(0, (top - there + PAGE - 1) / PAGE) == (size)-1)
    __builtin_trap();
  return (void *)begins;
}

/* Zeros, with a little room behind them, since vectors of four are read at once. */
float *floats(size n) {
  float *taken = take((n + 4) * sizeof(float));
  fill(taken, n, 0.f);
  return taken;
}

int *integers(size n) { return (int *)floats(n); }

void give_back_all(void) { top = 0; }

/* The host's own arrays: the setup, text, whatever it wants to write. */
EXPORT(room) void *room(size bytes) { return take(bytes); }

void fill(float *to, size n, float value) {
  for (size i = 0; i < n; i++) to[i] = value;
}

void copy(float *to, const float *from, size n) {
  for (size i = 0; i < n; i++) to[i] = from[i];
}

void add(float *to, const float *from, size n) {
  for (size i = 0; i < n; i++) to[i] += from[i];
}

/* Compilers write loops as calls of these; there is no C library to have them. */
void *memset(void *to, int value, size n) {
  unsigned char *bytes = to;
  while (n--) *bytes++ = (unsigned char)value;
  return to;
}

void *memcpy(void *restrict to, const void *restrict from, size n) {
  unsigned char *bytes = to;
  const unsigned char *source = from;
  while (n--) *bytes++ = *source++;
  return to;
}
