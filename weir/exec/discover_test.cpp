#include "weir/exec/discover.hpp"

#include <gmock/gmock.h>
#include <stdlib.h>

namespace weir::exec {
namespace {

using ::testing::HasSubstr;

const std::string fake = std::string(WEIR_BINARY_DIR) + "/libweir_fake_vendors.so";
const VendorLibraries no_libraries{{"libno-such-1.so"}, {"libno-such-2.so"}, {"libno-such-3.so"}};

DiscoveryReport with_nvidia(const char* products) {
    ::setenv("WEIR_FAKE_NVML", products, 1);
    DiscoverOptions options;
    options.libraries = no_libraries;
    options.libraries.nvml = {"libno-such-1.so", fake};
    options.synthetic = "pack:2 numa:1 core:8 pu:2";
    options.node_name = "n1";
    auto report = discover(options);
    ::unsetenv("WEIR_FAKE_NVML");
    return report;
}

std::string detail_of(const DiscoveryReport& report, const std::string& name) {
    for (const Fact& fact : report.facts) {
        if (fact.name == name) return fact.detail;
    }
    return "no fact of that name";
}

TEST(Discover, OffersThisVeryMachine) {
    DiscoverOptions options;
    options.libraries = no_libraries;
    const auto report = discover(options);
    ASSERT_EQ(report.fleet.sites.size(), 1u);
    EXPECT_EQ(report.fleet.sites[0].name, "local");
    EXPECT_EQ(report.fleet.sites[0].executor, "local");
    ASSERT_EQ(report.fleet.pools.size(), 1u);
    const fleet::Pool& pool = report.fleet.pools[0];
    EXPECT_EQ(pool.chip, "cpu");
    EXPECT_EQ(pool.nodes, 1u);
    EXPECT_GE(pool.chips_per_node, 1u);
    EXPECT_GE(pool.cpus_milli, 1000u);
    EXPECT_GT(pool.memory, mebibytes(64));
    EXPECT_EQ(pool.node_names.size(), 1u);
    EXPECT_TRUE(report.facts.at(0).found) << report.facts.at(0).detail;
}

TEST(Discover, CountsEachPackageOfAMachineWithoutAcceleratorsAsAChip) {
    DiscoverOptions options;
    options.libraries = no_libraries;
    options.synthetic = "pack:2 numa:4 core:8 pu:2";
    const auto report = discover(options);
    const fleet::Pool& pool = report.fleet.pools.at(0);
    EXPECT_EQ(pool.chips_per_node, 2u);
    EXPECT_EQ(pool.cpus_milli, 128000u);
    EXPECT_EQ(report.machine.numa_nodes, 8u);
    EXPECT_EQ(report.machine.cores, 64u);
    EXPECT_EQ(detail_of(report, "nvml"), "libno-such-1.so is not installed");
}

TEST(Discover, OffersAcceleratorsInTheWordsOfTheCatalogue) {
    const auto report = with_nvidia(
        "NVIDIA H100 80GB HBM3;NVIDIA H100 80GB HBM3;NVIDIA H100 80GB HBM3;NVIDIA H100 80GB HBM3");
    const fleet::Pool& pool = report.fleet.pools.at(0);
    EXPECT_EQ(pool.chip, "h100-sxm-80g");
    EXPECT_EQ(pool.chips_per_node, 4u);
    EXPECT_EQ(pool.cpus_milli, 32000u);
    ASSERT_EQ(report.accelerators.size(), 4u);
    EXPECT_EQ(report.accelerators[3].unique_id, "GPU-3");
    EXPECT_EQ(report.accelerators[3].power_limit_watts, 700);
    EXPECT_EQ(report.accelerators[3].memory.count, 85520809984);
    EXPECT_EQ(detail_of(report, "nvml"), fake + " reports 4 devices, driver 580.65.06");
}

TEST(Discover, OffersOnlyDevicesWhoseNumbersItCanGiveToAJob) {
    const auto mixed = with_nvidia("NVIDIA A10;NVIDIA A10;Tesla T4;NVIDIA A10");
    EXPECT_EQ(mixed.fleet.pools.at(0).chip, "a10");
    EXPECT_EQ(mixed.fleet.pools.at(0).chips_per_node, 2u) << "device 3 would be called 2";
    EXPECT_THAT(detail_of(mixed, "accelerators"), HasSubstr("2 of 4 accelerators are not offered"));

    const auto lost = with_nvidia("NVIDIA A10;lost;NVIDIA A10");
    EXPECT_EQ(lost.fleet.pools.at(0).chips_per_node, 1u);
    EXPECT_THAT(detail_of(lost, "nvml"), HasSubstr("1 do not answer"));
}

TEST(Discover, TreatsALibraryThatFailsAsAFactAndOffersTheProcessors) {
    ::setenv("WEIR_FAKE_NVML_ERROR", "1", 1);
    const auto report = with_nvidia("NVIDIA A10");
    ::unsetenv("WEIR_FAKE_NVML_ERROR");
    EXPECT_EQ(report.fleet.pools.at(0).chip, "cpu");
    EXPECT_THAT(detail_of(report, "nvml"), HasSubstr("nvmlInit failed with error 9"));

    // A library of that name that is something else.
    std::vector<Fact> facts;
    VendorLibraries strange = no_libraries;
    strange.nvml = {"libc.so.6"};
    EXPECT_TRUE(find_accelerators(strange, facts).empty());
    EXPECT_THAT(facts.at(0).detail, HasSubstr("lacks functions"));
}

TEST(Discover, AsksTheLibrariesOfOtherVendorsToo) {
    std::vector<Fact> facts;
    VendorLibraries libraries = no_libraries;
    libraries.rocm_smi = {fake};
    const auto amd = find_accelerators(libraries, facts);
    ASSERT_EQ(amd.size(), 2u);
    EXPECT_EQ(amd[1].chip, "mi300x");
    EXPECT_EQ(amd[1].unique_id, "0x000000000000abc1");
    EXPECT_EQ(amd[1].power_limit_watts, 750);

    libraries = no_libraries;
    libraries.dcmi = {fake};
    const auto huawei = find_accelerators(libraries, facts);
    ASSERT_EQ(huawei.size(), 2u) << "management controllers do not count";
    EXPECT_EQ(huawei[1].chip, "ascend-910b3");
    EXPECT_EQ(huawei[1].index, 1u);
    EXPECT_EQ(huawei[1].memory, gibibytes(64));
}

TEST(ChipName, IsTheCataloguesForEveryProductThatWeKnow) {
    // Memory in 10^9 bytes, as the libraries report it.
    const auto nvidia = [](const char* product, double billions) {
        return chip_name("nvidia", product, Bytes{static_cast<std::int64_t>(billions * 1e9)});
    };
    EXPECT_EQ(nvidia("NVIDIA H200", 150), "h200");
    EXPECT_EQ(nvidia("NVIDIA H200 NVL", 150), "h200-nvl");
    EXPECT_EQ(nvidia("NVIDIA H100 PCIe", 85), "h100-pcie-80g");
    EXPECT_EQ(nvidia("NVIDIA H100 NVL", 100), "h100-nvl-94g");
    EXPECT_EQ(nvidia("NVIDIA A100-SXM4-80GB", 85), "a100-sxm-80g");
    EXPECT_EQ(nvidia("NVIDIA A100-SXM4-40GB", 42), "a100-sxm-40g");
    EXPECT_EQ(nvidia("NVIDIA A100-PCIE-40GB", 42), "a100-pcie-40g");
    EXPECT_EQ(nvidia("Tesla V100-SXM2-32GB", 34), "v100-sxm-32g");
    EXPECT_EQ(nvidia("NVIDIA H20", 102), "h20");
    EXPECT_EQ(nvidia("NVIDIA B200", 192), "b200");
    EXPECT_EQ(nvidia("Tesla T4", 16), "t4");
    EXPECT_EQ(nvidia("NVIDIA L40S", 48), "l40s");
    EXPECT_EQ(nvidia("NVIDIA GeForce RTX 4090", 24), "rtx-4090");
    EXPECT_EQ(chip_name("huawei", "Ascend 910B3", {}), "ascend-910b3");
    EXPECT_EQ(chip_name("amd", "AMD Instinct MI355X", {}), "mi355x");
    EXPECT_EQ(chip_name("amd", "AMD Radeon PRO W7900", {}), "radeon-pro-w7900");
}

}  // namespace
}  // namespace weir::exec
