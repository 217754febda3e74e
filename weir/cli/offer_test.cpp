#include "weir/cli/offer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "weir/fleet/fleet_file.hpp"

namespace weir::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// A machine of 8 CPUs in one package, 64 GiB and two chips.
exec::DiscoveryReport machine() {
    exec::DiscoveryReport here;
    here.machine.cpus = 8;
    here.machine.memory = gibibytes(64);
    fleet::Pool pool;
    pool.name = pool.site = "local";
    pool.chip = "h200";
    pool.nodes = 1;
    pool.chips_per_node = 2;
    here.fleet.pools.push_back(pool);
    return here;
}

Result<Offer> offered(const std::string& sites, bool oversubscribe = false) {
    const auto parsed = fleet::read_fleet_text("sites:\n" + sites, "fleet.yaml");
    EXPECT_TRUE(parsed.has_value()) << parsed.error().message;
    return check_offer({parsed->fleet, {}}, machine(), "fleet.yaml", oversubscribe);
}

std::string refusal(const std::string& sites) {
    const auto offer = offered(sites);
    EXPECT_FALSE(offer.has_value()) << sites;
    return offer.has_value() ? "" : offer.error().message;
}

const std::string local = "  - name: here\n    executor: {kind: local}\n    pools:\n";

TEST(Offer, TakesTheMachineInParts) {
    const auto offer = offered(local +
                               "      - {name: a, nodes: 1, cpus: 3, memory: 24GiB}\n"
                               "      - {name: b, nodes: 1, cpus: 5, memory: 40GiB, chip: h200, "
                               "chips_per_node: 2}\n");
    ASSERT_TRUE(offer.has_value()) << offer.error().message;
    EXPECT_EQ(offer->fleet.pools.size(), 2U);
    EXPECT_THAT(offer->notes, IsEmpty());
}

TEST(Offer, RefusesSitesWhoseJobsWouldRunElsewhere) {
    const std::string slurm = refusal(local + "      - {name: a, nodes: 1, cpus: 1}\n" +
                                      "  - name: far\n    executor: {kind: slurm}\n    pools:\n"
                                      "      - {name: b, nodes: 900, cpus: 64}\n");
    EXPECT_THAT(slurm, HasSubstr("fleet.yaml: sites[1].executor.kind: \"slurm\" of site far"));
    EXPECT_THAT(slurm, HasSubstr("valid is: local"));
    EXPECT_THAT(slurm, HasSubstr("weir simulate --fleet"));
    EXPECT_THAT(
        refusal("  - name: dream\n    pools: [{name: b, nodes: 1, cpus: 1}]\n"),
        HasSubstr("sites[0].executor.kind: \"simulated\" (what holds when nothing is said)"));
}

TEST(Offer, RefusesMoreThanThereIsAndNamesTheFirstTooMuch) {
    const std::string pools =
        local + "      - {name: a, nodes: 1, cpus: 6, memory: 8GiB}\n      - ";
    EXPECT_THAT(
        refusal(pools + "{name: b, nodes: 1, cpus: 2.5}\n"),
        HasSubstr("fleet.yaml: sites[0].pools[1].cpus: 8.5 CPUs, with the pools before it, are "
                  "offered, but this machine has 8"));
    EXPECT_THAT(refusal(pools + "{name: b, nodes: 1, cpus: 1, memory: 57GiB}\n"),
                HasSubstr("pools[1].memory: 65GiB, with the pools before it, are offered, but this "
                          "machine has 64GiB"));
    EXPECT_THAT(refusal(pools + "{name: b, nodes: 2, cpus: 1}\n"),
                HasSubstr("pools[1].nodes: 2 nodes are offered, but this machine is one"));
    EXPECT_THAT(refusal(pools + "{name: b, nodes: 1, cpus: 1, chip: h200, chips_per_node: 3}\n"),
                HasSubstr("pools[1].chips_per_node: 3 of chip h200 are offered, but this machine "
                          "has 2"));
    EXPECT_THAT(refusal(pools + "{name: b, nodes: 1, cpus: 1, chip: h100, chips_per_node: 1}\n"),
                HasSubstr("1 of chip h100 is offered, but this machine has none"));
}

TEST(Offer, OversubscribesWhenToldToAndSaysSo) {
    const auto offer =
        offered(local + "      - {name: a, nodes: 4, cpus: 8, memory: 1GiB}\n", true);
    ASSERT_TRUE(offer.has_value()) << offer.error().message;
    EXPECT_THAT(offer->notes,
                ElementsAre(HasSubstr("nodes: 4 nodes"), HasSubstr("32 CPUs are offered")));
    EXPECT_FALSE(offered("  - name: far\n    executor: {kind: slurm}\n"
                         "    pools: [{name: b, nodes: 1, cpus: 1}]\n",
                         true)
                     .has_value());
}

}  // namespace
}  // namespace weir::cli
