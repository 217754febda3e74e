// A small language for stories about offers: chips, jobs and fleets in a line each. For tests only.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "weir/catalog/catalog.hpp"
#include "weir/catalog/catalog_file.hpp"
#include "weir/fleet/fleet_file.hpp"
#include "weir/job/job_file.hpp"
#include "weir/match/match.hpp"

namespace weir::match {

// The built-in catalogue and chips of the story's own.
inline catalog::Catalog catalog_and(const std::string& yaml) {
    catalog::Catalog catalog = catalog::Catalog::built_in();
    auto chips = catalog::read_catalog_text(yaml, "story");
    EXPECT_TRUE(chips.has_value()) << chips.error().message;
    EXPECT_TRUE(chips && catalog.add(std::move(chips).value(), "story").has_value());
    return catalog;
}

inline job::JobSpec job_of(const std::string& yaml) {
    const auto parsed = job::read_job_text("run: ./a\n" + yaml, "story.yaml");
    EXPECT_TRUE(parsed.has_value()) << parsed.error().message;
    return parsed ? parsed->spec : job::JobSpec{};
}

// A site with one pool of eight-chip nodes for each kind, "h200 x 4": so many nodes.
inline fleet::Fleet fleet_of(const std::vector<std::pair<std::string, std::uint32_t>>& kinds) {
    fleet::Fleet fleet;
    fleet.sites = {{.name = "site"}};
    for (const auto& [chip, nodes] : kinds) {
        fleet::Pool pool;
        pool.name = chip + "-pool";
        pool.site = "site";
        pool.chip = chip;
        pool.nodes = nodes;
        pool.chips_per_node = 8;
        pool.cpus_milli = 128'000;
        pool.memory = gibibytes(1024);
        fleet.pools.push_back(pool);
    }
    return fleet;
}

// The kinds of chip that keep the contract, in the order of preference.
inline std::vector<std::string> kinds_serving(const Offers& offers) {
    std::vector<std::string> names;
    for (const PoolOffer& pool : offers.pools) {
        if (pool.serves) names.push_back(offers.kinds[pool.kind].name);
    }
    return names;
}

inline Match match_of(const job::JobSpec& spec,
                      const catalog::Catalog& catalog,
                      const std::string& chip) {
    const catalog::ChipRecord* record = catalog.find(chip);
    EXPECT_NE(record, nullptr) << chip;
    return record == nullptr ? Match{} : match_chip(contract_of(spec), *record);
}

// FLOP/s of one chip over the whole job, by the numbers as they are stated.
inline double delivered(const job::JobSpec& spec, const Match& match) {
    if (!match.offer || !match.offer->seconds_stated) return 0;
    double flops = 0;
    for (const job::Phase& phase : spec.work)
        flops += phase.flops;
    const double chips = spec.gang.replicas * (spec.gang.chips + spec.gang.chip_permille / 1000.0);
    return flops / chips / *match.offer->seconds_stated;
}

inline bool is_refused(const Match& match, Why why) {
    for (const Reason& reason : match.against) {
        if (reason.why == why) return true;
    }
    return false;
}

}  // namespace weir::match
