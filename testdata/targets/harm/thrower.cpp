// A library that throws through its callers in C, and catches again above them.
extern "C" void thrower(int v)
{
	if (v > 1)
		throw v;
}
extern "C" int run(void (*callback)(int), int v)
{
	try {
		callback(v);
		return 0;
	} catch (int e) {
		return e;
	}
}
