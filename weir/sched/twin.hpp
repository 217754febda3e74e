// Twin: runs the engine, one that follows its decisions, and the slow reference side by side on a
// small world, and compares every step. Test support; it has a clock of its own and makes jobs end
// as the test says.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "weir/sched/engine.hpp"
#include "weir/sched/engine_reference.hpp"

namespace weir::sched {

// What a placement holds, independent of how it is written down: replicas and uses of each chip
// for every (pool, node, part).
using Held = std::map<std::tuple<PoolId, std::uint32_t, std::uint32_t>,
                      std::pair<std::uint32_t, std::vector<std::uint32_t>>>;

inline Held held_by(const fleet::Demand& demand, const fleet::Placement& placement) {
    Held held;
    for (const fleet::NodeRange& range : placement.ranges) {
        const bool shared = demand.parts.at(range.part).each.chip_permille > 0;
        for (std::uint32_t node = range.first; node < range.first + range.count; ++node) {
            auto& entry = held[{range.pool, node, range.part}];
            entry.first += range.replicas;
            for (std::uint32_t chip = 0; chip < 64; ++chip) {
                if (((range.chip_mask >> chip) & 1) == 0) continue;
                for (std::uint32_t i = 0; i < (shared ? range.replicas : 1); ++i) {
                    entry.second.push_back(chip);
                }
            }
            std::sort(entry.second.begin(), entry.second.end());
        }
    }
    return held;
}

class Twin {
public:
    Twin(const fleet::Fleet& fleet, Policy policy)
        : engine_(fleet, policy), follower_(fleet, policy), reference_(fleet, policy) {}

    void apply(const Event& event, Time now) {
        if (const auto* submitted = std::get_if<JobSubmitted>(&event)) {
            demands_[submitted->request.job] = submitted->request.demand;
        }
        engine_.apply(event, now);
        follower_.apply(event, now);
        reference_.apply(event, now);
    }

    // Both decide; returns what the engine decided, or nothing after a difference was reported.
    std::vector<Decision> decide(Time now) {
        std::vector<Decision> fast;
        std::vector<Decision> slow;
        engine_.decide(now, fast);
        reference_.decide(now, slow);
        check_follower(fast, now);
        const auto drops = [](std::vector<Decision>& decisions) {
            std::vector<JobId> list;
            for (auto it = decisions.begin(); it != decisions.end();) {
                if (const auto* drop = std::get_if<Drop>(&it->what)) {
                    list.push_back(drop->job);
                    it = decisions.erase(it);
                } else {
                    ++it;
                }
            }
            std::sort(list.begin(), list.end());
            return list;
        };
        // The reference does not say on which nodes a promise stands.
        const auto told_again = [&](const Decision& decision) {
            if (const auto* start = std::get_if<Start>(&decision.what)) {
                promised_.erase(start->job);
            }
            const auto* const reserve = std::get_if<Reserve>(&decision.what);
            if (reserve == nullptr) return false;
            const auto [known, added] = promised_.try_emplace(reserve->job, reserve->at);
            const bool again = !added && known->second == reserve->at;
            known->second = reserve->at;
            return again;
        };
        fast.erase(std::remove_if(fast.begin(), fast.end(), told_again), fast.end());
        std::vector<Decision> answer = fast;
        EXPECT_EQ(drops(fast), drops(slow));
        EXPECT_EQ(fast.size(), slow.size()) << words(fast) << "reference:\n" << words(slow);
        if (fast.size() != slow.size()) return {};
        for (std::size_t i = 0; i < fast.size(); ++i) {
            const bool same = fast[i].what.index() == slow[i].what.index() &&
                              fast[i].why.cause == slow[i].why.cause &&
                              same_content(fast[i], slow[i]);
            EXPECT_TRUE(same) << words(fast) << "reference:\n" << words(slow);
            if (!same) return {};
        }
        return answer;
    }

    Engine& engine() { return engine_; }
    const fleet::Demand& demand(JobId job) const { return demands_.at(job); }

private:
    // An engine that is told most decisions and takes the others itself cannot be told from one
    // that took all of them.
    void check_follower(const std::vector<Decision>& decisions, Time now) {
        if (++passes_ % 3 == 0) {
            std::vector<Decision> own;
            follower_.decide(now, own);
            EXPECT_EQ(words(own), words(decisions)) << "after following the passes before";
        } else {
            follower_.follow_pass(now);
            for (const Decision& decision : decisions) {
                const auto followed = follower_.follow(decision, now);
                EXPECT_TRUE(followed) << followed.error().message;
            }
        }
        EXPECT_EQ(follower_.digest(), engine_.digest());
        if (passes_ % 5 == 0) follower_.resume_digest(engine_.digest());
        EXPECT_EQ(follower_.counts().decisions, engine_.counts().decisions);
        if (passes_ % 5 != 0) return;
        for (const auto& [job, demand] : demands_) {
            EXPECT_EQ(follower_.phase(job), engine_.phase(job));
            if (engine_.phase(job) == Phase::ended) continue;
            EXPECT_EQ(follower_.explain(job, now).sentence, engine_.explain(job, now).sentence);
        }
    }

    bool same_content(const Decision& a, const Decision& b) const {
        if (const auto* reserve = std::get_if<Reserve>(&a.what)) {
            const auto& other = std::get<Reserve>(b.what);
            return reserve->job == other.job && reserve->at == other.at;
        }
        const auto& start = std::get<Start>(a.what);
        const auto& other = std::get<Start>(b.what);
        return start.job == other.job && held_by(demands_.at(start.job), start.placement) ==
                                             held_by(demands_.at(other.job), other.placement);
    }

    static std::string words(const std::vector<Decision>& decisions) {
        std::string text;
        for (const Decision& decision : decisions) {
            text += std::string(name_of(decision.why.cause));
            if (const auto* start = std::get_if<Start>(&decision.what)) {
                text += " start " + std::to_string(start->job.value);
                for (const fleet::NodeRange& range : start->placement.ranges) {
                    text += " [pool " + std::to_string(range.pool.value) + " node " +
                            std::to_string(range.first) + "+" + std::to_string(range.count) + " x" +
                            std::to_string(range.replicas) + " part " + std::to_string(range.part) +
                            " chips " + std::to_string(range.chip_mask) + "]";
                }
            }
            if (const auto* reserve = std::get_if<Reserve>(&decision.what)) {
                text += " reserve " + std::to_string(reserve->job.value) + " at " +
                        std::to_string(reserve->at.time_since_epoch().count());
            }
            text += "\n";
        }
        return text;
    }

    Engine engine_;
    Engine follower_;
    std::uint64_t passes_ = 0;
    ReferenceEngine reference_;
    std::map<JobId, Time> promised_;
    std::map<JobId, fleet::Demand> demands_;
};

}  // namespace weir::sched
