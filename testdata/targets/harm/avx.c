/* Functions whose first instruction is one of AVX2. */
#include <immintrin.h>
#include <stdio.h>

__attribute__((noinline)) __m256i either(__m256i a, __m256i b) { return _mm256_or_si256(a, b); }
__attribute__((noinline)) __m256i equal(__m256i a, __m256i b) { return _mm256_cmpeq_epi8(a, b); }
__attribute__((noinline)) long low(__m128i a) { return _mm_cvtsi128_si64(a); }
int main(void)
{
	__m256i a = _mm256_set1_epi32(5), b = _mm256_set1_epi32(2);
	int o[8], q[8];

	if (!__builtin_cpu_supports("avx2"))
		return 3;
	_mm256_storeu_si256((void *)o, either(a, b));
	_mm256_storeu_si256((void *)q, equal(a, a));
	printf("%d %d %ld\n", o[0], q[0], low(_mm256_castsi256_si128(a)));
	return 3;
}
