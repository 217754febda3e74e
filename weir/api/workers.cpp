#include "weir/api/workers.hpp"

#include <exception>
#include <string>

#include "weir/base/log.hpp"

namespace weir::api {

Workers::Workers(std::size_t threads, std::size_t waiting_max) : waiting_max_(waiting_max) {
    for (std::size_t i = 0; i < threads; ++i)
        threads_.emplace_back([this] { work(); });
}

Workers::~Workers() {
    stop();
}

bool Workers::run(std::function<void()> task) {
    {
        const std::lock_guard lock(mutex_);
        if (stopping_ || waiting_.size() >= waiting_max_) return false;
        waiting_.push_back(std::move(task));
    }
    wake_.notify_one();
    return true;
}

void Workers::stop() {
    std::deque<std::function<void()>> dropped;
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        dropped.swap(waiting_);
    }
    wake_.notify_all();
    for (std::thread& thread : threads_)
        thread.join();
    threads_.clear();
}

void Workers::work() {
    for (;;) {
        std::function<void()> task;
        {
            std::unique_lock lock(mutex_);
            wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
            if (stopping_) return;
            task = std::move(waiting_.front());
            waiting_.pop_front();
        }
        try {
            task();
        } catch (const std::exception& error) {
            // The request's Responder goes away with the task and answers for it.
            log::error(std::string("api worker: ") + error.what());
        }
    }
}

}  // namespace weir::api
