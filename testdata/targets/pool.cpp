// A server with a pool of worker threads: one thread for each connection reads lines, a worker
// answers. It prints its address.
#include <arpa/inet.h>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <queue>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

class Pool {
	std::mutex mutex;
	std::condition_variable wake;
	std::queue<std::function<void()>> tasks;
	std::vector<std::thread> workers;

	void work() {
		for (;;) {
			std::unique_lock<std::mutex> lock(mutex);
			wake.wait(lock, [this] { return !tasks.empty(); });
			auto task = std::move(tasks.front());
			tasks.pop();
			lock.unlock();
			task();
		}
	}

public:
	explicit Pool(int n) {
		for (int i = 0; i < n; i++)
			workers.emplace_back(&Pool::work, this);
	}

	void submit(std::function<void()> task) {
		{
			std::lock_guard<std::mutex> lock(mutex);
			tasks.push(std::move(task));
		}
		wake.notify_one();
	}
};

// count returns how often each word is in a text that is made of the line.
__attribute__((noinline)) std::map<std::string, int> count(const std::string &line) {
	std::map<std::string, int> words;
	for (int i = 0; i < 20; i++)
		words[line + std::to_string(i % 7)]++;
	return words;
}

__attribute__((noinline)) std::string format(const std::map<std::string, int> &words) {
	std::string text;
	for (const auto &word : words)
		text += word.first + "=" + std::to_string(word.second) + " ";
	return text + "\n";
}

__attribute__((noinline)) std::string answer(const std::string &line) { return format(count(line)); }

void serve(Pool &pool, int conn) {
	std::string pending;
	char buf[4096];
	for (ssize_t n; (n = read(conn, buf, sizeof buf)) > 0;) {
		pending.append(buf, n);
		for (size_t end; (end = pending.find('\n')) != std::string::npos; pending.erase(0, end + 1))
			pool.submit([conn, line = pending.substr(0, end)] {
				std::string text = answer(line);
				if (write(conn, text.data(), text.size()) < 0)
					perror("write");
			});
	}
	close(conn);
}

int main() {
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	sockaddr_in address{};
	address.sin_family = AF_INET;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	socklen_t size = sizeof address;
	if (bind(listener, (sockaddr *)&address, size) || listen(listener, 16) || getsockname(listener, (sockaddr *)&address, &size))
		return perror("listen"), 1;
	printf("127.0.0.1:%d\n", ntohs(address.sin_port));
	fflush(stdout);
	Pool pool(4);
	for (int conn; (conn = accept(listener, nullptr, nullptr)) >= 0;)
		std::thread(serve, std::ref(pool), conn).detach();
}
