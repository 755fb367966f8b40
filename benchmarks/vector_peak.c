/* How many products and sums of four numbers a browser does at most: nothing is read or written. */
#include "vectors.h"

__attribute__((export_name("peak"))) float peak(int times, float x, float y) {
  Four sums[12], one = ALL(x), other = ALL(y), all = ALL(0.f);
  for (int i = 0; i < 12; i++) sums[i] = ALL((float)i);
  for (; times > 0; times--)
    for (int i = 0; i < 12; i++) {
      sums[i] = MULTIPLY_ADD(one, other, sums[i]);
      __asm__ volatile("" : "+r"(sums[i])); /* the product is the same each time, and is wanted anew */
    }
  for (int i = 0; i < 12; i++) all += sums[i];
  return all[0] + all[1] + all[2] + all[3];
}
