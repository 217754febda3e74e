// Random jobs that read random datasets, at three sites with little storage: whatever is decided is
// checked against books that are kept here from the decisions alone.
#include "weir/sched/staging.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "weir/base/random.hpp"
#include "weir/sched/engine.hpp"

namespace weir::sched {
namespace {

constexpr std::int64_t gb = 1'000'000'000;

// Site 0 and 1 are joined, by one link or two, and 1 and 2; 0 and 2 sometimes, by a slow link.
fleet::Fleet three_sites(Random& random) {
    fleet::Fleet fleet;
    for (int s = 0; s < 3; ++s) {
        const std::string name = "s" + std::to_string(s);
        fleet::Storage storage;
        if (random.chance(0.5)) storage.bytes_per_s = static_cast<double>(gb) / 2;
        for (int d = s; d < 6; d += 3)
            storage.datasets["d" + std::to_string(d)] = Bytes{(d + 1) * 100 * gb};
        if (random.chance(0.7)) storage.capacity = Bytes{random.between(1000, 1900) * gb};
        fleet.sites.push_back({.name = name, .storage = storage});
        fleet::Pool pool;
        pool.name = "p" + std::to_string(s);
        pool.site = name;
        pool.chip = "a";
        pool.nodes = 2;
        pool.chips_per_node = 4;
        fleet.pools.push_back(pool);
    }
    fleet.links = {{.between = {"s0", "s1"}, .bytes_per_s = gb, .latency = seconds(1)},
                   {.between = {"s2", "s1"}, .bytes_per_s = gb / 4.0, .latency = Duration{5}}};
    if (random.chance(0.3))
        fleet.links.push_back({.between = {"s1", "s0"}, .bytes_per_s = gb / 2.0, .latency = {}});
    if (random.chance(0.3))
        fleet.links.push_back({.between = {"s0", "s2"}, .bytes_per_s = gb / 8.0, .latency = {}});
    return fleet;
}

class Books {
public:
    explicit Books(const fleet::Fleet& fleet) : fleet_(fleet) {
        for (std::uint32_t s = 0; s < fleet.sites.size(); ++s) {
            for (const auto& [name, size] : fleet.sites[s].storage.datasets) {
                sizes_[name] = size;
                whole_[s].insert(name);
                for_good_[s].insert(name);
            }
        }
    }

    void submitted(const Request& request) { reads_[request.job] = request.data; }

    void on(const Stage& stage, Time now) {
        EXPECT_GE(stage.begins, now);
        EXPECT_EQ(whole_[stage.from.value].count(stage.dataset), 1U) << "it is not there";
        EXPECT_EQ(whole_[stage.to.value].count(stage.dataset), 0U);
        EXPECT_TRUE(coming_[stage.to.value].insert(stage.dataset).second) << "it comes already";
        // There is no way by which it would be there earlier, of all there are.
        EXPECT_EQ(stage.ends, earliest(stage.dataset, stage.to, now));
        // Its links carry nothing else meanwhile, and as fast as everything on the way allows.
        SiteId at = stage.from;
        double rate = rate_of(stage.from);
        Duration latency{};
        ASSERT_FALSE(stage.links.empty());
        for (const std::uint32_t link : stage.links) {
            const SiteId next = other_end(link, at);
            Time& free_from = free_from_[{link, at}];
            EXPECT_GE(stage.begins, free_from);
            free_from = stage.ends;
            rate = std::min(rate, fleet_.links.at(link).bytes_per_s);
            latency += fleet_.links[link].latency;
            at = next;
        }
        EXPECT_EQ(at, stage.to);
        rate = std::min(rate, rate_of(stage.to));
        const double ms = static_cast<double>(sizes_[stage.dataset].count) / rate * 1000;
        EXPECT_NEAR(static_cast<double>((stage.ends - stage.begins - latency).count()), ms, 1.0);
        check_room(stage.to);
        copies_.emplace(stage.ends, DatasetStaged{stage.dataset, stage.to});
    }
    void on(const Forget& forget) {
        EXPECT_EQ(for_good_[forget.site.value].count(forget.dataset), 0U);
        EXPECT_EQ(whole_[forget.site.value].erase(forget.dataset), 1U);
        for (const auto& [job, site] : running_)
            EXPECT_FALSE(site == forget.site && reads(job, forget.dataset)) << job.value;
    }
    void on(const Start& start) {
        const fleet::Pool& pool = fleet_.pool(start.placement.ranges.front().pool);
        const SiteId site{static_cast<std::uint32_t>(pool.name[1] - '0')};
        for (const std::string& name : reads_[start.job])
            EXPECT_EQ(whole_[site.value].count(name), 1U) << "job " << start.job.value;
        running_[start.job] = site;
        started_.insert(start.job);
    }
    void ended(JobId job) { running_.erase(job); }
    void arrived(const DatasetStaged& event) {
        EXPECT_EQ(coming_[event.site.value].erase(event.dataset), 1U);
        whole_[event.site.value].insert(event.dataset);
    }

    [[nodiscard]] std::multimap<Time, DatasetStaged>& copies() { return copies_; }
    [[nodiscard]] const std::map<JobId, SiteId>& running() const { return running_; }
    [[nodiscard]] bool has_started(JobId job) const { return started_.count(job) > 0; }

    // Could all that a job reads be brought together at a site? All of them are joined.
    [[nodiscard]] bool can_be_together(const std::vector<std::string>& names) {
        for (std::uint32_t s = 0; s < 3; ++s) {
            std::int64_t sum = 0;
            for (const std::string& name : for_good_[s])
                sum += sizes_[name].count;
            for (const std::string& name : names) {
                if (for_good_[s].count(name) == 0) sum += sizes_[name].count;
            }
            const std::int64_t capacity = fleet_.sites[s].storage.capacity.count;
            if (capacity == 0 || sum <= capacity) return true;
        }
        return false;
    }

private:
    [[nodiscard]] double rate_of(SiteId site) const {
        const double rate = fleet_.sites[site.value].storage.bytes_per_s;
        return rate > 0 ? rate : 1e18;
    }
    [[nodiscard]] SiteId other_end(std::uint32_t link, SiteId at) const {
        const std::string& name = fleet_.sites[at.value].name;
        const auto& ends = fleet_.links.at(link).between;
        EXPECT_TRUE(ends[0] == name || ends[1] == name);
        const std::string& other = ends[0] == name ? ends[1] : ends[0];
        return SiteId{static_cast<std::uint32_t>(other[1] - '0')};
    }
    // By trying every way that comes to no site twice.
    [[nodiscard]] Time earliest(const std::string& dataset, SiteId to, Time now) const {
        Time best = never;
        for (std::uint32_t from = 0; from < 3; ++from) {
            if (whole_[from].count(dataset) == 0) continue;
            const SiteId site{from};
            best =
                std::min(best, earliest_from(dataset, to, {site}, now, rate_of(site), Duration{}));
        }
        return best;
    }
    [[nodiscard]] Time earliest_from(const std::string& dataset,
                                     SiteId to,
                                     const std::vector<SiteId>& seen,
                                     Time begins,
                                     double rate,
                                     Duration latency) const {
        const SiteId at = seen.back();
        if (at == to) {
            const double bytes = static_cast<double>(sizes_.at(dataset).count);
            const double ms = std::ceil(bytes * 1000 / std::min(rate, rate_of(to)));
            return begins + latency + Duration{static_cast<std::int64_t>(ms)};
        }
        Time best = never;
        for (std::uint32_t i = 0; i < fleet_.links.size(); ++i) {
            const auto& link = fleet_.links[i];
            const std::string& name = fleet_.sites[at.value].name;
            if (link.between[0] != name && link.between[1] != name) continue;
            std::vector<SiteId> further = seen;
            further.push_back(other_end(i, at));
            if (std::find(seen.begin(), seen.end(), further.back()) != seen.end()) continue;
            const auto known = free_from_.find({i, at});
            const Time free = known == free_from_.end() ? begins : known->second;
            best = std::min(best,
                            earliest_from(dataset,
                                          to,
                                          further,
                                          std::max(begins, free),
                                          std::min(rate, link.bytes_per_s),
                                          latency + link.latency));
        }
        return best;
    }
    [[nodiscard]] bool reads(JobId job, const std::string& dataset) const {
        const auto& names = reads_.at(job);
        return std::find(names.begin(), names.end(), dataset) != names.end();
    }
    void check_room(SiteId site) {
        std::int64_t sum = 0;
        for (const std::string& name : whole_[site.value])
            sum += sizes_[name].count;
        for (const std::string& name : coming_[site.value])
            sum += sizes_[name].count;
        const std::int64_t capacity = fleet_.sites[site.value].storage.capacity.count;
        EXPECT_TRUE(capacity == 0 || sum <= capacity) << sum;
    }

    const fleet::Fleet& fleet_;
    std::map<std::string, Bytes> sizes_;
    std::set<std::string> whole_[3];
    std::set<std::string> coming_[3];
    std::set<std::string> for_good_[3];
    std::map<std::pair<std::uint32_t, SiteId>, Time> free_from_;  // of a link, from there
    std::multimap<Time, DatasetStaged> copies_;
    std::map<JobId, std::vector<std::string>> reads_;
    std::map<JobId, SiteId> running_;
    std::set<JobId> started_;
};

TEST(Staging, DataIsThereBeforeAStartAndNothingIsOverfullAndNobodyIsForgotten) {
    int copied = 0;
    int forgotten = 0;
    int over_two_links = 0;
    int ahead = 0;  // promised while data came
    int kept = 0;
    for (std::uint64_t seed = 1; seed <= 500; ++seed) {
        SCOPED_TRACE(seed);
        Random random(seed);
        const fleet::Fleet fleet = three_sites(random);
        const char* const policies[] = {"easy", "weir", "fcfs"};
        const Policy policy = policy_from_text(policies[seed % 3]).value();
        Engine engine(fleet, policy);
        Engine follower(fleet, policy);  // hears the same, and is told what was decided
        Books books(fleet);
        std::map<JobId, Time> promised_ahead;
        std::map<JobId, Duration> limits;
        const bool keep_limits = seed % 2 == 0;  // else nothing promised is sure
        std::multimap<Time, JobId> ends;
        std::map<JobId, std::vector<std::string>> jobs;
        Time arrival = at_seconds(0);
        for (int left = 25; left > 0 || !ends.empty() || !books.copies().empty();) {
            Time now = left > 0 ? arrival : never;
            if (!ends.empty()) now = std::min(now, ends.begin()->first);
            if (!books.copies().empty()) now = std::min(now, books.copies().begin()->first);
            const auto happens = [&](const Event& event) {
                engine.apply(event, now);
                follower.apply(event, now);
            };
            while (!books.copies().empty() && books.copies().begin()->first == now) {
                const DatasetStaged event = books.copies().begin()->second;
                books.copies().erase(books.copies().begin());
                books.arrived(event);
                happens(event);
            }
            while (!ends.empty() && ends.begin()->first == now) {
                const JobId job = ends.begin()->second;
                ends.erase(ends.begin());
                books.ended(job);
                happens(JobEnded{job});
            }
            if (left > 0 && now == arrival) {
                Request request;
                request.job = JobId{jobs.size() + 1};
                request.limit = seconds(random.between(100, 5000));
                request.demand.parts = {
                    {.replicas = 1,
                     .each = {.chips = static_cast<std::uint32_t>(random.between(1, 4))}}};
                request.demand.pools = {PoolId{0}, PoolId{1}, PoolId{2}};
                for (int d = 0; d < 6; ++d)
                    if (random.chance(0.25)) request.data.push_back("d" + std::to_string(d));
                jobs[request.job] = request.data;
                limits[request.job] = request.limit;
                books.submitted(request);
                happens(JobSubmitted{request});
                --left;
                arrival += seconds(random.between(1, 2000));
            }
            std::vector<Decision> decisions;
            engine.decide(now, decisions);
            for (const Decision& decision : decisions) {
                ASSERT_TRUE(follower.follow(decision, now));
                if (const auto* stage = std::get_if<Stage>(&decision.what)) {
                    books.on(*stage, now);
                    ++copied;
                    over_two_links += stage->links.size() > 1;
                }
                if (const auto* forget = std::get_if<Forget>(&decision.what)) {
                    books.on(*forget);
                    ++forgotten;
                }
                if (const auto* reserve = std::get_if<Reserve>(&decision.what)) {
                    if (engine.phase(reserve->job) == Phase::held && reserve->at < never) {
                        ++ahead;
                        EXPECT_GT(reserve->at, now) << "its data is not there";
                        promised_ahead[reserve->job] = reserve->at;
                    }
                }
                if (const auto* start = std::get_if<Start>(&decision.what)) {
                    books.on(*start);
                    if (const auto its = promised_ahead.find(start->job);
                        its != promised_ahead.end()) {
                        if (keep_limits) {
                            EXPECT_LE(now, its->second) << "job " << start->job.value;
                        }
                        ++kept;
                    }
                    Duration takes = seconds(random.between(50, 5000));
                    if (keep_limits) takes = std::min(takes, limits.at(start->job));
                    ends.emplace(now + takes, start->job);
                }
                if (testing::Test::HasFailure()) return;
            }
        }
        for (const auto& [job, names] : jobs) {
            if (!books.can_be_together(names)) continue;
            EXPECT_TRUE(books.has_started(job)) << job.value;
        }
        EXPECT_EQ(follower.counts().pending, engine.counts().pending);
        // What it followed it does not order again.
        std::vector<Decision> more;
        follower.decide(at_seconds(10'000'000), more);
        for (const Decision& decision : more)
            EXPECT_FALSE(std::holds_alternative<Stage>(decision.what) ||
                         std::holds_alternative<Forget>(decision.what));
        if (testing::Test::HasFailure()) return;
    }
    EXPECT_GT(copied, 1000);
    EXPECT_GT(forgotten, 200);
    EXPECT_GT(over_two_links, 100);
    EXPECT_GT(ahead, 100);
    EXPECT_GT(kept, 100);
}

TEST(Staging, NeverForgetsTheLastCopyNorWhatACopyIsMadeOf) {
    Random random(1);
    fleet::Fleet fleet = three_sites(random);
    for (fleet::Site& site : fleet.sites)
        site.storage = {.bytes_per_s = 0, .capacity = Bytes{100}, .datasets = {}, .root = ""};
    fleet.sites[0].storage.datasets = {{"a", Bytes{60}}};
    fleet.sites[2].storage.datasets = {{"b", Bytes{60}}};
    Staging staging(fleet);
    const DatasetId a = *staging.find("a");
    const DatasetId b = *staging.find("b");
    const SiteId s0{0};
    const SiteId s1{1};
    const Time now = at_seconds(0);
    std::vector<DatasetId> forgotten;
    staging.order(a, s1, now, forgotten);
    EXPECT_EQ(staging.there_at(b, s1, now), never) << "what is on its way is not forgotten";
    staging.arrived(a, s1, now);
    EXPECT_NE(staging.there_at(b, s1, now), never);
    staging.lost(a, s0);
    EXPECT_EQ(staging.there_at(b, s1, now), never) << "it is the last one";
    staging.order(a, s0, now, forgotten);
    EXPECT_EQ(staging.there_at(b, s1, now), never) << "what goes to s0 is read at s1";
    staging.arrived(a, s0, now);
    staging.order(b, s1, now, forgotten);
    EXPECT_EQ(forgotten, std::vector<DatasetId>{a});
    EXPECT_FALSE(staging.find("c"));
}

// Another version of the core chose otherwise, and what it decided stands.
TEST(Staging, FollowsACopyAndAStartThatItWouldNotHaveChosen) {
    Random random(1);
    fleet::Fleet fleet = three_sites(random);
    for (fleet::Site& site : fleet.sites)
        site.storage.capacity = Bytes{};
    Engine engine(fleet, Policy::easy);
    Request request;
    request.job = JobId{1};
    request.limit = seconds(100);
    request.demand.parts = {{.replicas = 1, .each = {.chips = 1}}};
    request.demand.pools = {PoolId{0}, PoolId{1}};
    request.data = {"d2"};  // at s2, from where the core would take another way
    const Time now = at_seconds(0);
    engine.apply(JobSubmitted{request}, now);
    ASSERT_TRUE(engine.follow({Stage{"d2", SiteId{2}, SiteId{0}, now, at_seconds(9)}, {}}, now));
    engine.apply(DatasetStaged{"d2", SiteId{0}}, at_seconds(9));
    EXPECT_EQ(engine.phase(JobId{1}), Phase::held);
    fleet::Placement placement;
    placement.ranges = {{.pool = PoolId{0}, .first = 0, .count = 1, .replicas = 1, .chip_mask = 1}};
    ASSERT_TRUE(engine.follow({Start{JobId{1}, placement}, {}}, at_seconds(9)));
    EXPECT_EQ(engine.phase(JobId{1}), Phase::running);
    ASSERT_TRUE(engine.follow({Forget{"d0", SiteId{0}}, {}}, at_seconds(9)));
    EXPECT_FALSE(engine.staging().is_anywhere(*engine.staging().find("d0")));
}

TEST(Staging, SaysWhatIsBeingCopiedAndWhenItIsThere) {
    Random random(1);
    fleet::Fleet fleet = three_sites(random);
    fleet.sites[0].storage.bytes_per_s = fleet.sites[1].storage.bytes_per_s = 0;
    fleet.sites[1].storage.capacity = Bytes{};
    Engine engine(fleet, Policy::easy);
    Request request;
    request.job = JobId{1};
    request.limit = seconds(100);
    request.demand.parts = {{.replicas = 1, .each = {.chips = 1}}};
    request.demand.pools = {PoolId{1}};
    request.data = {"d0"};
    const Time now = at_seconds(0);
    engine.apply(JobSubmitted{request}, now);
    const Explanation told = engine.explain(JobId{1}, now);
    EXPECT_EQ(told.reason.cause, Cause::waits_for_data);
    EXPECT_EQ(told.sentence,
              "It waits for its data: dataset d0 (93.1GiB) is being copied to s1 and there in 1m "
              "41s.");
    request.job = JobId{2};
    request.data = {"d9"};
    engine.apply(JobSubmitted{request}, now);
    EXPECT_EQ(engine.explain(JobId{2}, now).sentence,
              "It waits for its data: dataset d9 lies nowhere yet.");
    request.job = JobId{3};
    request.data = {"d2"};
    request.demand.pools = {PoolId{0}};
    fleet.links.clear();
    Engine alone(fleet, Policy::easy);
    alone.apply(JobSubmitted{request}, now);
    EXPECT_EQ(alone.explain(JobId{3}, now).sentence,
              "It waits for its data: dataset d2 (279GiB) lies at no site where it may run, and no "
              "link leads to one, or there is no room.");
}

}  // namespace
}  // namespace weir::sched
