// HubWorld: a small language for stories about the hub. For tests only.
//
//     world.fleet("4 nodes");  submit({.name = "a", .nodes = 2});  end("a");  expect_state("b",
//     ...)
//
// A Keeper over a memory store and a fake executor, with a virtual clock that the story moves.
// HubStory is the fixture around it: at the end of each story nothing was started twice, and the
// journal replayed gives the same decisions.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "weir/hub/fake_executor.hpp"
#include "weir/hub/fake_mover.hpp"
#include "weir/hub/faulty_store.hpp"
#include "weir/hub/keeper.hpp"
#include "weir/hub/replay.hpp"
#include "weir/store/memory_store.hpp"
#include "weir/tenancy/organisations_file.hpp"

namespace weir::hub {

// Nodes with 4 chips, 16 CPUs and 64 GiB each, which draw 100 W to 500 W.
inline fleet::Fleet small_fleet(std::uint32_t nodes) {
    fleet::Fleet fleet;
    fleet.sites.push_back({.name = "local", .executor = "local", .power_watts = 0});
    fleet::Pool pool;
    pool.name = "main";
    pool.site = "local";
    pool.chip = "a100";
    pool.nodes = nodes;
    pool.chips_per_node = 4;
    pool.cpus_milli = 16'000;
    pool.memory = gibibytes(64);
    pool.node_idle_watts = 100;
    pool.node_busy_watts = 500;
    fleet.pools.push_back(pool);
    return fleet;
}

inline Submission submission_of(const std::string& name,
                                std::uint32_t replicas = 1,
                                std::uint32_t chips = 4) {
    Submission submission;
    submission.spec.name = name;
    submission.spec.tenant = "lab";
    submission.spec.script = "./" + name;
    submission.spec.workdir = "/scratch";
    submission.spec.gang.replicas = replicas;
    submission.spec.gang.chips = chips;
    submission.spec.limit = seconds(3600);
    submission.user = "ada";
    return submission;
}

// Its work is one large product of matrices of doubles.
inline Submission fp64_submission_of(const std::string& name) {
    Submission job = submission_of(name);
    job.spec.work = {{.name = "update",
                      .op = catalog::Op::gemm,
                      .flops = 1e18,
                      .bytes = 0,
                      .dim = 16384,
                      .format = catalog::Format::fp64,
                      .storage = {}}};
    return job;
}

class HubWorld {
public:
    explicit HubWorld(fleet::Fleet its_fleet) : fleet(std::move(its_fleet)) {
        options.data_dir = "/data";
        options.mover = mover;
    }

    Result<void> open() {
        keeper.reset();
        auto opened = Keeper::open(
            options,
            fleet,
            store,
            executor,
            [this](const Change& change) { changes.push_back(change); },
            moment());
        if (!opened) return fail(opened.error());
        keeper = std::move(opened).value();
        return {};
    }

    Result<std::vector<Accepted>> submit_all(std::vector<Submission> submissions) {
        Result<std::vector<Accepted>> answer = fail(Code::internal, "no answer came");
        turn({SubmitMessage{std::move(submissions),
                            [&answer](Result<std::vector<Accepted>> a) { answer = a; }}});
        return answer;
    }
    Result<Accepted> submit(Submission submission) {
        auto answer = submit_all({std::move(submission)});
        if (!answer) return fail(answer.error());
        return answer->front();
    }
    Result<std::uint32_t> cancel(const std::string& reference) {
        Result<std::uint32_t> answer = fail(Code::internal, "no answer came");
        turn({CancelMessage{reference, [&answer](Result<std::uint32_t> a) { answer = a; }}});
        return answer;
    }
    Result<std::string> operate(Operation operation) {
        Result<std::string> answer = fail(Code::internal, "no answer came");
        turn({OperateMessage{std::move(operation),
                             [&answer](Result<std::string> a) { answer = std::move(a); }}});
        return answer;
    }
    void report(const exec::AttemptEnd& end) { turn({EndMessage{end}}); }
    // The job's attempt that is alive ends, and the hub hears of it.
    void end(const std::string& reference, int exit_code = 0) {
        report(executor.finish(alive(reference), exit_code, now));
    }
    // A dataset that is on its way is there, or has failed to come, and the hub hears of it.
    void moved(const std::string& dataset, const std::string& to, Bytes size = {}) {
        turn({MovedMessage{mover->finish(dataset, to, size)}});
    }
    void not_moved(const std::string& dataset, const std::string& to, const std::string& problem) {
        turn({MovedMessage{mover->fail(dataset, to, problem)}});
    }
    void turn(std::vector<Message> messages) {
        pass(Duration{1});
        keeper->turn(std::move(messages), moment());
    }
    void housekeep() { keeper->housekeep(moment()); }
    void pass(Duration time) {
        now += time;
        steady += time;
    }
    [[nodiscard]] Moment moment() const { return {now, steady}; }

    exec::AttemptId alive(const std::string& reference) {
        const JobId job = view(reference).job;
        for (const exec::AttemptId id : executor.alive()) {
            if (id.job == job) return id;
        }
        ADD_FAILURE() << "no attempt of " << reference << " is alive";
        return {};
    }
    JobView view(const std::string& reference) {
        auto views = keeper->job(reference, {.states = {}, .offset = 0, .limit = 1});
        if (!views || views->jobs.empty()) {
            ADD_FAILURE() << "no job " << reference << (views ? "" : views.error().message);
            return {};
        }
        return views->jobs.front();
    }
    std::string state(const std::string& reference) {
        return std::string(name_of(view(reference).state));
    }
    // "1.1 2.1": every attempt that was ever started, in order.
    [[nodiscard]] std::string started() const {
        std::string text;
        for (const exec::AttemptId id : executor.order) {
            text += (text.empty() ? "" : " ") + exec::text_of(id);
        }
        return text;
    }

    Options options;
    fleet::Fleet fleet;
    store::MemoryStore memory;
    FaultyStore store{memory};
    FakeExecutor executor;
    std::shared_ptr<FakeMover> mover = std::make_shared<FakeMover>();
    std::vector<Change> changes;
    Time now = at_seconds(1'000'000);  // of the wall clock, which a story may set
    Duration steady = seconds(50);
    std::unique_ptr<Keeper> keeper;
};

class HubStory : public testing::Test {
protected:
    explicit HubStory(fleet::Fleet fleet) : world(std::move(fleet)) {}
    void TearDown() override {
        EXPECT_TRUE(world.executor.breaches.empty()) << world.executor.breaches.front();
        const auto report = replay(world.memory, nullptr);
        ASSERT_TRUE(report) << report.error().message;
        EXPECT_FALSE(report->difference) << report->difference->sentence;
    }
    void open() {
        const auto opened = world.open();
        ASSERT_TRUE(opened) << opened.error().message;
    }
    // The text of a tenants file, for the next open().
    void set_tenants(const std::string& text) {
        const auto read = tenancy::read_organisations_text(text, "tenants.yaml");
        ASSERT_TRUE(read) << read.error().message;
        world.options.tenants = read->file;
    }
    void open_with(const std::string& tenants) {
        set_tenants(tenants);
        open();
    }

    HubWorld world;
};

}  // namespace weir::hub
