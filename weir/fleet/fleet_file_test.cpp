#include "weir/fleet/fleet_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <fstream>
#include <sstream>

#include "weir/base/mutation.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace weir::fleet {
namespace {

using ::testing::HasSubstr;

constexpr const char* example = R"(sites:
  - name: hefei-ai
    executor: {kind: slurm, host: login1}
    power: 12MW                    # site budget; optional
    price: {ascend-910b3: 8 CNY/chip-hour}
    storage: {bandwidth: 200GB/s, capacity: 2PiB, root: /srv/data, datasets: {era5-2020: 40TiB}}
    pools:
      - name: ai-a
        chip: ascend-910b3         # catalogue name
        nodes: 1250
        chips_per_node: 8
        cpus: 192
        memory: 1536GiB
        nodes_per_rack: 2
        racks_per_pod: 16
        rack_power: 15kW           # a live constraint: no placement may exceed it
        pod_power: 200kW
        node_power: {idle: 1.1kW, busy: 5.6kW}
        link: {inside: hccs, between: 400Gb/s x 8, oversubscription: 1}
        reliability: {mtbf: 5y/node, repair: 6h}
  - name: wuxi-hpc
    pools: [{name: cpu, nodes: 100, cpus: 64}]
links:
  - {between: [hefei-ai, wuxi-hpc], bandwidth: 10GB/s, latency: 12ms}
)";

std::string refusal(const std::string& text) {
    const auto parsed = read_fleet_text(text, "f.yaml");
    return parsed.has_value() ? "accepted" : parsed.error().message;
}

std::string one_pool(const std::string& pool) {
    return "sites: [{name: a, pools: [{name: p, " + pool + "}]}]\n";
}

TEST(FleetFile, ReadsTheWholeLanguage) {
    const auto parsed = read_fleet_text(example, "f.yaml");
    ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
    const Fleet& fleet = parsed->fleet;
    ASSERT_EQ(fleet.sites.size(), 2U);
    EXPECT_EQ(fleet.sites[0].executor, "slurm");
    EXPECT_EQ(fleet.sites[1].executor, "simulated");
    EXPECT_DOUBLE_EQ(fleet.sites[0].power_watts, 12e6);
    ASSERT_EQ(fleet.pools.size(), 2U);
    const Pool& pool = fleet.pools[0];
    EXPECT_EQ(pool.site, "hefei-ai");
    EXPECT_EQ(pool.chip, "ascend-910b3");
    EXPECT_EQ(pool.cpus_milli, 192'000U);
    EXPECT_EQ(pool.memory, gibibytes(1536));
    EXPECT_EQ(pool.nodes_per_rack, 2U);
    EXPECT_EQ(pool.racks_per_pod, 16U);
    EXPECT_DOUBLE_EQ(pool.rack_power_watts, 15e3);
    EXPECT_DOUBLE_EQ(pool.pod_power_watts, 200e3);
    EXPECT_DOUBLE_EQ(pool.node_busy_watts, 5600);
    EXPECT_EQ(pool.node_mtbf, seconds(std::int64_t{5} * 365 * 86'400));
    EXPECT_EQ(pool.node_repair, seconds(6 * 3600));
    EXPECT_EQ(fleet.chips_total(), 10'000U);
    EXPECT_EQ(fleet.nodes_total(), 1350U);
    EXPECT_EQ(fleet.cpus_milli_total(), 1250U * 192'000U + 100U * 64'000U);
    EXPECT_EQ(fleet.node_name(PoolId{1}, 7), "cpu-7");
    EXPECT_EQ(fleet.sites[0].price.at("ascend-910b3"), *parse_price("8 CNY/chip-hour"));
    EXPECT_THAT(parsed->notes, ::testing::Not(::testing::Contains(HasSubstr("price"))));
    EXPECT_THAT(parsed->notes, ::testing::Not(::testing::Contains(HasSubstr("power"))));
    EXPECT_THAT(parsed->notes, ::testing::Not(::testing::Contains(HasSubstr("reliability"))));
}

TEST(FleetFile, KnowsWhatLiesWhereAndThatADatasetHasOneSize) {
    const auto parsed = read_fleet_text(example, "f.yaml");
    ASSERT_TRUE(parsed.has_value());
    const Storage& storage = parsed->fleet.sites[0].storage;
    EXPECT_EQ(storage.bytes_per_s, 200e9);
    EXPECT_EQ(storage.datasets.at("era5-2020"), *parse_bytes("40TiB"));
    EXPECT_EQ(storage.root, "/srv/data");
    ASSERT_EQ(parsed->fleet.links.size(), 1U);
    EXPECT_EQ(parsed->fleet.links[0].between[1], "wuxi-hpc");
    EXPECT_EQ(parsed->fleet.links[0].bytes_per_s, 10e9);
    const auto two = [](const std::string& a, const std::string& b) {
        return "sites:\n- {name: a, pools: [{name: p, nodes: 1, cpus: 1}], storage: {" + a +
               "}}\n- {name: b, pools: [{name: q, nodes: 1, cpus: 1}], storage: {" + b + "}}\n";
    };
    EXPECT_EQ(refusal(two("datasets: {x: 1TiB}", "datasets: {x: 1TiB}")), "accepted");
    EXPECT_THAT(refusal(two("datasets: {x: 1TiB}", "datasets: {x: 2TiB}")),
                HasSubstr("f.yaml:3:73: sites[1].storage.datasets: 'x' has 2TiB here and 1TiB in "
                          "line 2; a dataset has one size"));
    EXPECT_THAT(refusal(two("capacity: 1TiB, datasets: {x: 2TiB}", "capacity: 1TiB")),
                HasSubstr("2TiB of datasets do not fit into a capacity of 1TiB"));
    EXPECT_THAT(refusal(two("root: /a", "root: /a")),
                HasSubstr("'/a' is the root in line 2 already"));
    EXPECT_THAT(refusal(two("root: data", "")),
                HasSubstr("storage.root: 'data' must be an absolute path"));
}

TEST(FleetFile, ReadsBackWhatItPrints) {
    const auto parsed = read_fleet_text(example, "f.yaml");
    ASSERT_TRUE(parsed.has_value());
    const auto again = read_fleet_text(print_fleet(parsed->fleet), "printed");
    ASSERT_TRUE(again.has_value()) << again.error().message;
    EXPECT_EQ(again->fleet, parsed->fleet);
}

TEST(FleetFile, NamesPlaceKeyValueAndWhatIsValid) {
    EXPECT_EQ(refusal(one_pool("nodes: 0, cpus: 1")),
              "f.yaml:1:44: sites[0].pools[0].nodes: 0 is out of range; valid are 1 to 10000000");
    EXPECT_THAT(refusal(one_pool("nodes: 1, chip: h200, chips_per_node: 65")),
                HasSubstr("65 is out of range; valid are 0 to 64"));
    EXPECT_THAT(refusal(one_pool("nodes: 1, memory: 128, cpus: 1")), HasSubstr("write 128GiB"));
    EXPECT_THAT(refusal(one_pool("nodes: 1, gpus: 8")), HasSubstr("write chips_per_node"));
    EXPECT_THAT(refusal(one_pool("nodes: 1, chip: h200")), HasSubstr("no chips_per_node"));
    EXPECT_THAT(refusal(one_pool("nodes: 1, chips_per_node: 8")), HasSubstr("which kind"));
    EXPECT_THAT(refusal(one_pool("nodes: 1")), HasSubstr("neither chips nor cpus"));
    EXPECT_THAT(refusal(one_pool("nodes: 1, cpus: 1, racks_per_pod: 2")),
                HasSubstr("no nodes_per_rack"));
    EXPECT_THAT(refusal(one_pool("nodes: 2, cpus: 1, node_names: [a]")),
                HasSubstr("has 1 names for 2 nodes"));
    EXPECT_THAT(refusal(one_pool("nodes: 2, cpus: 1, node_names: [a, a]")), HasSubstr("twice"));
    EXPECT_THAT(refusal(one_pool("nodes: 1, cpus: 1, reliability: {mtbf: 5y}")),
                HasSubstr("5y/node"));
    EXPECT_THAT(refusal(one_pool("nodes: 1, cpus: 1, node_power: {idle: 2kW, busy: 1kW}")),
                HasSubstr("an idle node draws more"));
    EXPECT_THAT(refusal("sites: []\n"), HasSubstr("at least one site"));
    EXPECT_THAT(refusal("sites: [{name: a, pools: []}]\n"), HasSubstr("at least one pool"));
    EXPECT_THAT(refusal("pools: []\n"), HasSubstr("pools belong to a site"));
}

TEST(FleetFile, RefusesABudgetOfNothing) {
    EXPECT_EQ(
        refusal(one_pool("nodes: 1, cpus: 1, rack_power: 0W")),
        "f.yaml:1:68: sites[0].pools[0].rack_power: '0W' is no budget; write a power above 0, "
        "such as 15kW, or leave rack_power out for none");
    EXPECT_THAT(refusal(one_pool("nodes: 1, cpus: 1, pod_power: 0kW")), HasSubstr("'0kW' is no"));
    EXPECT_THAT(refusal("sites: [{name: a, power: 0W, pools: [{name: p, nodes: 1, cpus: 1}]}]\n"),
                HasSubstr("sites[0].power: '0W' is no budget"));
}

TEST(FleetFile, SaysWhichBudgetsLeaveNothingOrBindNothing) {
    const auto notes = [](const std::string& pool) {
        const auto parsed = read_fleet_text(
            "sites: [{name: a, power: 4kW, pools: [{name: p, cpus: 1, " + pool + "}]}]\n",
            "f.yaml");
        return parsed ? parsed->notes : std::vector<std::string>{parsed.error().message};
    };
    EXPECT_THAT(notes("nodes: 3, node_power: {idle: 1kW, busy: 2kW}"), ::testing::IsEmpty());
    EXPECT_THAT(notes("nodes: 3, nodes_per_rack: 2, rack_power: 1500W, "
                      "node_power: {idle: 1kW, busy: 2kW}"),
                ::testing::ElementsAre("pool p: rack_power is 1.5 kW, but an idle rack alone draws "
                                       "2 kW; nothing that draws will start there"));
    EXPECT_THAT(notes("nodes: 5, node_power: {idle: 1kW, busy: 2kW}"),
                ::testing::ElementsAre("pool p: power of site a is 4 kW, but the idle site alone "
                                       "draws 5 kW; nothing that draws will start there"));
    EXPECT_THAT(notes("nodes: 3"),
                ::testing::ElementsAre("pool p: power of site a is 4 kW, and binds nothing without "
                                       "node_power"));
}

TEST(FleetFile, RefusesNamesThatAreTakenOrUnknown) {
    const std::string site = "  - {name: a, pools: [{name: p, nodes: 1, cpus: 1}]}\n";
    EXPECT_THAT(refusal("sites:\n" + site + site),
                ::testing::AllOf(HasSubstr("f.yaml:3:12: sites[1].name: 'a' is already the name of "
                                           "the site in line 2"),
                                 HasSubstr("'p' is already the name of the pool in line 2")));
    const std::string two =
        "sites:\n" + site + "  - {name: b, pools: [{name: q, nodes: 1, cpus: 1}]}\n";
    EXPECT_EQ(refusal(two + "links: [{between: [a, b], bandwidth: 1GB/s}]\n"), "accepted");
    EXPECT_THAT(refusal(two + "links: [{between: [a, bb], bandwidth: 1GB/s}]\n"),
                HasSubstr("links[0].between: no site is called 'bb'; did you mean 'b'?"));
    EXPECT_THAT(refusal(two + "links: [{between: [a, b], bandwidth: 0GB/s}]\n"),
                HasSubstr("links[0].bandwidth: is nothing"));
    EXPECT_THAT(refusal(two + "links: [{between: [a, a], bandwidth: 1GB/s}]\n"),
                HasSubstr("two different sites"));
    EXPECT_THAT(
        refusal("sites: [{name: a, price: {h200: 8 CNY/chip-hour}, pools: [{name: p, nodes: 1, "
                "cpus: 1}]}]\n"),
        HasSubstr("no pool of this site has the chip 'h200'"));
    EXPECT_THAT(refusal("sites: [{name: a, price: {h200: 8 CNY}, pools: []}]\n"),
                HasSubstr("8 CNY/chip-hour"));
}

TEST(FleetFile, RefusesMoreKindsOfChipsThanTheCoreTellsApart) {
    const auto fleet_of = [](int kinds) {
        std::string text = "sites:\n  - name: a\n    pools:\n";
        for (int i = 0; i < kinds; ++i)
            text += "      - {name: p" + std::to_string(i) + ", chip: kind-" + std::to_string(i) +
                    ", nodes: 1, chips_per_node: 1, cpus: 1}\n";
        return text + "      - {name: plain, nodes: 1, cpus: 1}\n";
    };
    EXPECT_EQ(refusal(fleet_of(63)), "accepted");
    EXPECT_EQ(refusal(fleet_of(64)),
              "f.yaml: sites: pool 'p63' brings kind of chip number 64, 'kind-63'; a fleet has at "
              "most 63");
}

TEST(FleetFile, SaysWhichFileIsMissing) {
    const auto fleet = read_fleet("/no/such/fleet.yaml");
    ASSERT_FALSE(fleet.has_value());
    EXPECT_EQ(fleet.error().code, Code::not_found);
    EXPECT_THAT(fleet.error().message, HasSubstr("/no/such/fleet.yaml"));
}

// One pool of any shape.
Pool any_pool(int number) {
    Pool pool;
    pool.name = "pool-" + std::to_string(number);
    pool.nodes = *rc::gen::inRange<std::uint32_t>(1, 1000);
    pool.chips_per_node = *rc::gen::inRange<std::uint32_t>(0, 65);
    if (pool.chips_per_node > 0) pool.chip = *rc::gen::element<std::string>("h200", "堰-1", "cpu");
    pool.cpus_milli = *rc::gen::inRange<std::uint32_t>(1, 1'000'000);
    pool.memory = Bytes{*rc::gen::inRange<std::int64_t>(0, std::int64_t{1} << 50)};
    pool.nodes_per_rack = *rc::gen::inRange<std::uint32_t>(0, 64);
    if (pool.nodes_per_rack > 0) pool.racks_per_pod = *rc::gen::inRange<std::uint32_t>(0, 64);
    pool.rack_power_watts = *rc::gen::inRange(0, 100'000);
    pool.pod_power_watts = *rc::gen::inRange(0, 1'000'000);
    pool.node_mtbf = Duration{*rc::gen::inRange<std::int64_t>(0, std::int64_t{1} << 40)};
    pool.node_repair = Duration{*rc::gen::inRange<std::int64_t>(0, std::int64_t{1} << 30)};
    pool.node_idle_watts = *rc::gen::inRange(0, 1'000);
    pool.node_busy_watts = pool.node_idle_watts + *rc::gen::inRange(0, 5'000);
    return pool;
}

RC_GTEST_PROP(FleetFile, AnyFleetReadsBackAsItWasPrinted, ()) {
    Fleet fleet;
    int number = 0;
    const auto sites = *rc::gen::inRange(1, 4);
    for (int i = 0; i < sites; ++i) {
        Site site;
        site.name = "site-" + std::to_string(i);
        site.power_watts = *rc::gen::inRange(0, 20'000'000);
        const auto pools = *rc::gen::inRange(1, 4);
        for (int j = 0; j < pools; ++j) {
            Pool pool = any_pool(number++);
            pool.site = site.name;
            fleet.pools.push_back(std::move(pool));
        }
        fleet.sites.push_back(std::move(site));
    }
    const auto again = read_fleet_text(print_fleet(fleet), "printed");
    if (!again.has_value()) RC_FAIL(again.error().message);
    RC_ASSERT(again->fleet == fleet);
}

TEST(FleetFile, SurvivesMutationsOfTheExample) {
    Random random(2);
    for (int round = 0; round < 2000; ++round) {
        const std::string text =
            round == 0 ? example : mutated(example, "0123456789abcKMGT[]{}:,- \n", random);
        LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
    }
}

TEST(FleetFile, HasAReferencePageThatMatchesItsTable) {
    std::ifstream file(std::string(WEIR_SOURCE_DIR) + "/docs/reference/fleet.md");
    std::stringstream page;
    page << file.rdbuf();
    EXPECT_EQ(page.str(), fleet_reference())
        << "regenerate it: weir schema fleet --markdown > docs/reference/fleet.md";
}

}  // namespace
}  // namespace weir::fleet
