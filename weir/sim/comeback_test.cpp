// A core that comes back after a crash follows what is on record, and goes on as if it had decided
// all of that itself: with organisations, loans, data that is copied, nodes that fail, budgets of
// watts and reservations, all at once.
#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "weir/sim/house_world.hpp"

namespace weir::sim {
namespace {

constexpr std::int64_t gigabyte = 1'000'000'000;

World some_world_with_everything(Random& random, const char* policy) {
    World world = some_world(random, policy);
    SimulationOptions& options = world.options;
    fleet::Fleet& fleet = world.trace.fleet;
    if (random.chance(0.8)) options.loans = some_loans(random, options.organisations);
    if (random.chance(0.5)) {
        for (const char* name : {"a", "b", "c"}) {
            fleet::Storage& at = fleet.sites[random.chance(0.5) ? 0 : 1].storage;
            at.datasets[name] = Bytes{random.between(10, 40) * gigabyte};
        }
        for (fleet::Site& site : fleet.sites)
            if (random.chance(0.5))
                site.storage.capacity = Bytes{random.between(90, 200) * gigabyte};
        fleet.links = {
            {.between = {"east", "west"}, .bytes_per_s = static_cast<double>(gigabyte) / 4}};
        world.trace.data_sets = {{"a"}, {"b"}, {"c"}, {"a", "b"}};
        for (TraceJob& job : world.trace.jobs)
            if (random.chance(0.4)) job.reads = static_cast<std::uint32_t>(random.between(0, 3));
    }
    if (random.chance(0.5)) {
        for (fleet::Pool& pool : fleet.pools) {
            pool.node_mtbf = seconds(20000);
            pool.node_repair = seconds(200);
        }
        options.failures = {.faults = Faults::reliability,
                            .log = {},
                            .seed = 7,
                            .retries = 100,
                            .replace = random.chance(0.5)};
    }
    if (random.chance(0.5)) {
        for (fleet::Pool& pool : fleet.pools) {
            pool.node_idle_watts = 100;
            pool.node_busy_watts = 500;
            if (random.chance(0.5)) pool.rack_power_watts = 700;  // of 1000
        }
        options.caps = {
            {.at = at_seconds(300), .domain = {fleet::Level::site, PoolId{0}, 0}, .watts = 2500},
            {.at = at_seconds(1500), .domain = {fleet::Level::site, PoolId{0}, 0}, .watts = 0}};
    }
    return world;
}

// For a reader: "start 3, reserve 7 at 1200 s, ...".
std::string words(const Watch::Pass& pass) {
    std::string text;
    for (const sched::Decision& decision : pass) {
        if (!text.empty()) text += ", ";
        if (const auto* const start = std::get_if<sched::Start>(&decision.what)) {
            text += "start " + std::to_string(start->job.value) + " in pool " +
                    std::to_string(start->placement.ranges.front().pool.value) + " from node " +
                    std::to_string(start->placement.ranges.front().first);
        } else if (const auto* const reserve = std::get_if<sched::Reserve>(&decision.what)) {
            text += "reserve " + std::to_string(reserve->job.value) +
                    (reserve->at == never
                         ? " never"
                         : " at " + std::to_string((reserve->at - Time{}).count() / 1000) + " s");
        } else if (const auto* const stop = std::get_if<sched::Preempt>(&decision.what)) {
            text += "stop " + std::to_string(stop->job.value) + " for " +
                    std::to_string(stop->for_job.value);
        } else {
            text += "another, of kind " + std::to_string(decision.what.index());
        }
        text += " (" + std::string(sched::name_of(decision.why.cause)) + ")";
    }
    return text;
}

// Keeps the record; now and then a second core follows it from the beginning, and both go on.
class ComesBack final : public Watch {
public:
    ComesBack(const World& world, std::uint64_t seed, double how_often)
        : world_(world), random_(seed), how_often_(how_often) {}

    void told(const sched::Event& event, Time now) override {
        if (!is_over()) record_.emplace_back(now, event);
    }

    bool comes_back(Time) override {
        other_.reset();
        if (is_over() || !random_.chance(how_often_)) return false;
        const fleet::Fleet& fleet = world_.trace.fleet;
        const SimulationOptions& its = world_.options;
        other_ = std::make_unique<sched::Engine>(
            fleet, its.policy, tenancy::rights_on(fleet, its.organisations, its.rate_of));
        for (const auto& [at, what] : record_) {
            if (const auto* const event = std::get_if<sched::Event>(&what))
                other_->apply(*event, at);
            else
                follow(std::get<Pass>(what), at);
        }
        other_->begin_anew();
        return true;
    }

    void decided(const Pass& decisions, const sched::Engine& engine, Time now) override {
        if (other_) {
            Pass same;
            other_->decide(now, same);
            EXPECT_EQ(other_->digest(), engine.digest())
                << "pass " << passes_ << ": " << words(decisions)
                << "\nof the core that came back: " << words(same);
            ++compared_;
        }
        ++passes_;
        if (!is_over()) record_.emplace_back(now, decisions);
    }
    [[nodiscard]] std::uint64_t compared() const { return compared_; }

private:
    // Where somebody waits for ever, nodes go on to fail and to come back.
    [[nodiscard]] bool is_over() const {
        constexpr std::size_t record_max = 1500;
        return record_.size() > record_max || testing::Test::HasFailure();
    }
    void follow(const Pass& pass, Time at) {
        other_->follow_pass(at);
        for (const sched::Decision& decision : pass) {
            const auto followed = other_->follow(decision, at);
            EXPECT_TRUE(followed) << followed.error().message;
        }
    }

    const World& world_;
    Random random_;
    double how_often_;
    std::vector<std::pair<Time, std::variant<sched::Event, Pass>>> record_;
    std::unique_ptr<sched::Engine> other_;
    std::uint64_t passes_ = 0;
    std::uint64_t compared_ = 0;
};

TEST(ComesBack, AndDecidesAsIfItHadNeverBeenAway) {
    std::uint64_t compared = 0;
    for (std::uint64_t seed = 1; seed <= 16; ++seed) {
        for (const char* policy : policies) {
            SCOPED_TRACE(std::string(policy) + ", seed " + std::to_string(seed));
            Random random(seed);
            const World world = some_world_with_everything(random, policy);
            ComesBack watch(world, seed, 0.03);
            SimulationOptions options = world.options;
            options.watch = &watch;
            const auto done = simulate(world.trace, options);
            EXPECT_TRUE(done.has_value()) << done.error().message;
            ASSERT_FALSE(testing::Test::HasFailure());
            compared += watch.compared();
        }
    }
    EXPECT_GT(compared, 300U);
}

}  // namespace
}  // namespace weir::sim
