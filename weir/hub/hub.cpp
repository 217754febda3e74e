#include "weir/hub/hub.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "weir/base/log.hpp"
#include "weir/hub/keeper.hpp"
#include "weir/hub/wall_clock.hpp"

namespace weir::hub {
namespace {

// More would only let the first of a burst wait for the last; a commit is well shared by then.
constexpr std::size_t messages_per_turn_max = 512;

// A wish to wake that is not gone by a pass must not keep a processor busy.
constexpr std::int64_t wake_apart_min_us = 100'000;

const Error stopping{Code::unavailable, "the hub is stopping; try again when it is back"};

}  // namespace

struct Hub::State {
    explicit State(Duration its_housekeeping) : housekeeping(its_housekeeping) {}

    const Duration housekeeping;
    std::unique_ptr<Keeper> keeper;  // of the thread, once it runs

    std::mutex mailbox_mutex;
    std::condition_variable arrived;
    std::vector<Message> mailbox;  // guarded by mailbox_mutex
    bool stop = false;             // guarded by mailbox_mutex

    std::mutex listeners_mutex;
    std::map<std::uint64_t, std::function<void(const Change&)>> listeners;  // guarded by it
    std::uint64_t next_listener = 1;                                        // guarded by it

    std::thread thread;

    void post(Message message) {
        {
            const std::lock_guard lock(mailbox_mutex);
            if (!stop) {
                mailbox.push_back(std::move(message));
                arrived.notify_one();
                return;
            }
        }
        refuse(message, stopping);
    }

    template <class T, class Ask>
    void ask(Reply<T> reply, Ask question) {
        post(
            QueryMessage{.answer = [reply, question = std::move(question)](
                                       Keeper& its_keeper) { reply(question(its_keeper)); },
                         .refuse = [reply](const Error& error) { reply(Result<T>(fail(error))); }});
    }

    void announce(const Change& change) {
        const std::lock_guard lock(listeners_mutex);
        for (const auto& listener : listeners)
            listener.second(change);
    }

    // Takes what waits; empty when nothing came in that time, or it is time to stop.
    std::vector<Message> take(std::chrono::microseconds patience) {
        std::unique_lock lock(mailbox_mutex);
        arrived.wait_for(lock, patience, [this] { return stop || !mailbox.empty(); });
        if (mailbox.size() <= messages_per_turn_max) return std::exchange(mailbox, {});
        const auto end = mailbox.begin() + messages_per_turn_max;
        std::vector<Message> some(std::make_move_iterator(mailbox.begin()),
                                  std::make_move_iterator(end));
        mailbox.erase(mailbox.begin(), end);
        return some;
    }

    bool stopped() {
        const std::lock_guard lock(mailbox_mutex);
        return stop;
    }

    void loop() {
        const std::int64_t between = std::chrono::microseconds(housekeeping).count();
        std::int64_t next_housekeeping = monotonic_microseconds() + between;
        std::int64_t last_wake = next_housekeeping - between;
        while (!stopped()) {
            const std::int64_t now = monotonic_microseconds();
            const std::int64_t wake =
                std::max(now + std::chrono::microseconds(keeper->wakes_in(moment_now())).count(),
                         last_wake + wake_apart_min_us);
            const std::int64_t left = std::min(next_housekeeping, wake) - now;
            std::vector<Message> messages =
                take(std::chrono::microseconds(std::max<std::int64_t>(left, 0)));
            if (!messages.empty()) {
                keeper->turn(std::move(messages), moment_now());
            } else if (monotonic_microseconds() >= wake) {
                last_wake = monotonic_microseconds();
                keeper->wake(moment_now());
            }
            if (monotonic_microseconds() < next_housekeeping) continue;
            keeper->housekeep(moment_now());
            next_housekeeping = monotonic_microseconds() + between;
        }
    }
};

Result<std::unique_ptr<Hub>> Hub::open(Options options,
                                       fleet::Fleet fleet,
                                       store::Store& store,
                                       exec::Executor& executor) {
    auto state = std::make_unique<State>(options.housekeeping);
    State* its_state = state.get();
    WEIR_TRY(state->keeper,
             Keeper::open(
                 std::move(options),
                 std::move(fleet),
                 store,
                 executor,
                 [its_state](const Change& change) { its_state->announce(change); },
                 moment_now()));
    std::unique_ptr<Hub> hub(new Hub(std::move(state)));
    hub->state_->thread = std::thread([its_state] { its_state->loop(); });
    return hub;
}

Hub::Hub(std::unique_ptr<State> state) : state_(std::move(state)) {}

Hub::~Hub() {
    std::vector<Message> left;
    {
        const std::lock_guard lock(state_->mailbox_mutex);
        state_->stop = true;
    }
    state_->arrived.notify_one();
    if (state_->thread.joinable()) state_->thread.join();
    {
        const std::lock_guard lock(state_->mailbox_mutex);
        left = std::exchange(state_->mailbox, {});
    }
    for (const Message& message : left)
        refuse(message, stopping);
}

void Hub::submit(Submission submission, Reply<Accepted> reply) {
    std::vector<Submission> one;
    one.push_back(std::move(submission));
    submit_all(std::move(one), [reply = std::move(reply)](Result<std::vector<Accepted>> accepted) {
        if (accepted) {
            reply(std::move(accepted->front()));
        } else {
            reply(Result<Accepted>(fail(accepted.error())));
        }
    });
}

void Hub::submit_all(std::vector<Submission> submissions, Reply<std::vector<Accepted>> reply) {
    state_->post(SubmitMessage{.submissions = std::move(submissions), .reply = std::move(reply)});
}

void Hub::cancel(std::string reference, Reply<std::uint32_t> reply) {
    state_->post(CancelMessage{.reference = std::move(reference), .reply = std::move(reply)});
}

void Hub::job(std::string reference, MemberQuery query, Reply<Members> reply) {
    state_->ask(std::move(reply),
                [reference = std::move(reference), query = std::move(query)](Keeper& keeper) {
                    return keeper.job(reference, query);
                });
}

void Hub::counts(std::string reference, Reply<MemberCounts> reply) {
    state_->ask(std::move(reply), [reference = std::move(reference)](Keeper& keeper) {
        return keeper.counts(reference);
    });
}

void Hub::jobs(JobFilter filter, Reply<std::vector<JobView>> reply) {
    state_->ask(std::move(reply),
                [filter = std::move(filter)](Keeper& keeper) { return keeper.jobs(filter); });
}

void Hub::explain(std::string reference, Reply<ExplainView> reply) {
    state_->ask(std::move(reply), [reference = std::move(reference)](Keeper& keeper) {
        return keeper.explain(reference);
    });
}

void Hub::fleet(Reply<std::vector<PoolView>> reply) {
    state_->ask(std::move(reply),
                [](Keeper& keeper) { return Result<std::vector<PoolView>>(keeper.pools()); });
}

void Hub::datasets(Reply<std::vector<DatasetView>> reply) {
    state_->ask(std::move(reply),
                [](Keeper& keeper) { return Result<std::vector<DatasetView>>(keeper.datasets()); });
}

void Hub::status(Reply<Status> reply) {
    state_->ask(std::move(reply), [](Keeper& keeper) { return Result<Status>(keeper.status()); });
}

void Hub::operate(Operation operation, Reply<std::string> reply) {
    state_->post(OperateMessage{.operation = std::move(operation), .reply = std::move(reply)});
}

void Hub::reservations(Reply<std::vector<ReservationView>> reply) {
    state_->ask(std::move(reply), [](Keeper& keeper) {
        return Result<std::vector<ReservationView>>(keeper.reservations());
    });
}

void Hub::tenants(Reply<std::vector<TenantView>> reply) {
    state_->ask(std::move(reply),
                [](Keeper& keeper) { return Result<std::vector<TenantView>>(keeper.tenants()); });
}

void Hub::loans(Reply<std::vector<KnownLoan>> reply) {
    state_->ask(std::move(reply),
                [](Keeper& keeper) { return Result<std::vector<KnownLoan>>(keeper.loans()); });
}

void Hub::statement(std::string tenant, std::optional<Time> at, Reply<tenancy::Statement> reply) {
    state_->ask(std::move(reply), [tenant = std::move(tenant), at](Keeper& keeper) {
        return keeper.statement(tenant, at);
    });
}

void Hub::power(std::string of, Reply<std::vector<PowerView>> reply) {
    state_->ask(std::move(reply),
                [of = std::move(of)](Keeper& keeper) { return keeper.power(of); });
}

void Hub::attempt_ended(const exec::AttemptEnd& end) {
    state_->post(EndMessage{end});
}

void Hub::dataset_moved(const exec::MoveEnd& end) {
    state_->post(MovedMessage{end});
}

std::uint64_t Hub::listen(std::function<void(const Change&)> listener) {
    const std::lock_guard lock(state_->listeners_mutex);
    const std::uint64_t handle = state_->next_listener++;
    state_->listeners[handle] = std::move(listener);
    return handle;
}

void Hub::unlisten(std::uint64_t handle) {
    const std::lock_guard lock(state_->listeners_mutex);
    state_->listeners.erase(handle);
}

}  // namespace weir::hub
