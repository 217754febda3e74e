// Workers: a few threads for what is too slow for the I/O thread and the hub's thread.
//
// Job texts are parsed here, logs read, large answers put together. The queue is bounded: when it
// is full the caller is told so, and tells its client to come back, because a queue that grows
// without end serves nobody.
//
// Threads: run() from any.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace weir::api {

class Workers {
public:
    explicit Workers(std::size_t threads, std::size_t waiting_max = 4096);
    ~Workers();  // finishes what is being done, drops what waits

    // False: the queue is full, or the workers are stopping; the task was not taken.
    [[nodiscard]] bool run(std::function<void()> task);
    void stop();

private:
    void work();

    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<std::function<void()>> waiting_;
    std::vector<std::thread> threads_;
    std::size_t waiting_max_;
    bool stopping_ = false;
};

}  // namespace weir::api
