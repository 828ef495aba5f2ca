/* What thrower.cpp defines, without exceptions. */
void thrower(int v) { }
int run(void (*callback)(int), int v)
{
	callback(v);
	return v;
}
