#include <stdexcept>
#include <string>
#include <vector>

namespace shop {

class Cart {
public:
	void add(int price);
	int total() const;

private:
	std::vector<int> prices;
};

template <typename T> __attribute__((noinline)) T twice(T x) { return x * 2; }

void Cart::add(int price)
{
	if (price < 0)
		throw std::invalid_argument("price");
	prices.push_back(price);
}

int Cart::total() const
{
	int sum = 0;
	for (int p : prices)
		sum += twice(p);
	return sum;
}

} // namespace shop

int main(int argc, char **)
{
	shop::Cart c;
	try {
		c.add(argc - 2);
	} catch (const std::exception &) {
		return 1;
	}
	return c.total();
}
