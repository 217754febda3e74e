// The hub with its thread: many clients, listeners, and its end.
#include "weir/hub/hub.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <mutex>
#include <set>
#include <thread>

#include "weir/hub/fake_executor.hpp"
#include "weir/hub/hub_world.hpp"
#include "weir/store/memory_store.hpp"

namespace weir::hub {
namespace {

// A fake executor that several threads may use, whose attempts end at once.
class EagerExecutor : public exec::Executor {
public:
    Result<void> start(const exec::Launch& launch) override {
        const std::lock_guard lock(mutex_);
        auto started = fake_.start(launch);
        ended_.push_back(fake_.finish(launch.attempt, 0, Time{}));
        return started;
    }
    Result<void> stop(exec::AttemptId id, const exec::Stop& how) override {
        const std::lock_guard lock(mutex_);
        return fake_.stop(id, how);
    }
    exec::Found find(exec::AttemptId id) override {
        const std::lock_guard lock(mutex_);
        return fake_.find(id);
    }
    void forget(exec::AttemptId id) override {
        const std::lock_guard lock(mutex_);
        fake_.forget(id);
    }
    std::vector<exec::AttemptEnd> take() {
        const std::lock_guard lock(mutex_);
        return std::exchange(ended_, {});
    }
    std::vector<std::string> breaches() {
        const std::lock_guard lock(mutex_);
        return fake_.breaches;
    }

private:
    std::mutex mutex_;
    FakeExecutor fake_;
    std::vector<exec::AttemptEnd> ended_;
};

// The answer to one question, waited for.
template <class T, class Ask>
Result<T> answer_of(Ask ask) {
    auto promise = std::make_shared<std::promise<Result<T>>>();
    auto future = promise->get_future();
    ask([promise](Result<T> result) { promise->set_value(std::move(result)); });
    return future.get();
}

TEST(Hub, ServesManyClientsAtOnceAndEndsEveryJobOnce) {
    constexpr int clients = 8;
    constexpr int jobs_each = 50;
    store::MemoryStore memory;
    EagerExecutor executor;
    Options options;
    options.data_dir = "/data";
    auto opened = Hub::open(options, small_fleet(4), memory, executor);
    ASSERT_TRUE(opened) << opened.error().message;
    Hub& hub = **opened;

    std::mutex mutex;
    std::uint64_t last_change = 0;
    std::set<JobId> succeeded;
    bool in_order = true;
    const auto handle = hub.listen([&](const Change& change) {
        const std::lock_guard lock(mutex);
        in_order = in_order && change.sequence == last_change + 1;
        last_change = change.sequence;
        if (change.state == JobState::succeeded) succeeded.insert(change.job);
    });

    // The world: tells every end twice, from a thread of its own.
    std::atomic<bool> world_turns{true};
    std::thread world([&] {
        while (world_turns) {
            for (const exec::AttemptEnd& end : executor.take()) {
                hub.attempt_ended(end);
                hub.attempt_ended(end);
            }
            std::this_thread::yield();
        }
    });
    std::vector<std::thread> threads;
    std::atomic<int> accepted{0};
    for (int client = 0; client < clients; ++client) {
        threads.emplace_back([&, client] {
            for (int i = 0; i < jobs_each; ++i) {
                Submission submission = submission_of("c" + std::to_string(client), 1, 1);
                submission.key = std::to_string(client) + "/" + std::to_string(i);
                const auto first = answer_of<Accepted>(
                    [&](Reply<Accepted> reply) { hub.submit(submission, std::move(reply)); });
                const auto again = answer_of<Accepted>(
                    [&](Reply<Accepted> reply) { hub.submit(submission, std::move(reply)); });
                if (first && again && again->repeated && again->first == first->first) ++accepted;
            }
        });
    }
    for (std::thread& thread : threads)
        thread.join();
    EXPECT_EQ(accepted, clients * jobs_each);
    for (int tries = 0; tries < 10'000; ++tries) {
        const auto status =
            answer_of<Status>([&](Reply<Status> reply) { hub.status(std::move(reply)); });
        ASSERT_TRUE(status);
        if (status->jobs_ended == clients * jobs_each) break;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    hub.unlisten(handle);
    const auto pools = answer_of<std::vector<PoolView>>(
        [&](Reply<std::vector<PoolView>> reply) { hub.fleet(std::move(reply)); });
    EXPECT_EQ(pools->at(0).free.nodes_idle, 4U);
    world_turns = false;
    world.join();
    opened->reset();
    EXPECT_EQ(succeeded.size(), static_cast<std::size_t>(clients * jobs_each));
    EXPECT_TRUE(in_order);
    EXPECT_TRUE(executor.breaches().empty());
}

TEST(Hub, AnswersWhoStillWaitsWhenItStops) {
    store::MemoryStore memory;
    EagerExecutor executor;
    Options options;
    options.data_dir = "/data";
    auto opened = Hub::open(options, small_fleet(1), memory, executor);
    ASSERT_TRUE(opened);
    std::atomic<int> answers{0};
    std::atomic<int> accepted{0};
    std::thread client([&] {
        for (int i = 0; i < 2000; ++i) {
            (*opened)->submit(submission_of("a"), [&](const Result<Accepted>& answer) {
                ++answers;
                if (answer) ++accepted;
            });
        }
    });
    client.join();
    opened->reset();
    EXPECT_EQ(answers, 2000);
    auto again = Hub::open(options, small_fleet(1), memory, executor);
    ASSERT_TRUE(again);
    const auto status =
        answer_of<Status>([&](Reply<Status> reply) { (*again)->status(std::move(reply)); });
    EXPECT_EQ(status->jobs_accepted, static_cast<std::uint64_t>(accepted));
}

}  // namespace
}  // namespace weir::hub
