#include "weir/sim/converged_model.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace weir::sim {
namespace {

const ConvergedOptions two{
    .owners = {{"lab", 64, true}, {"startup", 24, false}}, .load = 0.8, .seed = 3};

TEST(ConvergedModel, EachOrganisationAsksForTheLoadOfWhatItOwnsInItsOwnFormats) {
    const auto jobs = generate_converged(two);
    ASSERT_TRUE(jobs);
    std::map<std::uint32_t, double> work;
    std::int64_t before = 0;
    for (const ConvergedJob& job : *jobs) {
        work[job.owner] += static_cast<double>(job.run_s) * job.chips;
        EXPECT_EQ(job.owner == 0, job.precision == catalog::Format::fp64);
        EXPECT_LE(job.chips, two.owners[job.owner].chips);
        EXPECT_LE(job.run_s, job.limit_s);
        EXPECT_GE(job.submit_s, before);
        before = job.submit_s;
    }
    EXPECT_LT(before, converged_span_s);
    // Of each campaign the last job is what it may be too much.
    EXPECT_NEAR(work[0] / (64.0 * converged_span_s), 0.8, 0.2);
    EXPECT_NEAR(work[1] / (24.0 * converged_span_s), 0.8, 0.2);
    EXPECT_EQ(*generate_converged(two), *jobs);
}

TEST(ConvergedModel, ReadsDataOfItsOrganisationInTheSameJobs) {
    ConvergedOptions with_data = two;
    with_data.datasets = {"reanalysis", "corpus"};
    auto jobs = generate_converged(with_data).value();
    std::map<std::uint32_t, std::set<std::uint32_t>> read_by;
    std::map<std::uint32_t, int> of;
    std::map<std::uint32_t, int> reading;
    for (ConvergedJob& job : jobs) {
        if (job.precision == catalog::Format::int8) {
            EXPECT_FALSE(job.reads);
            continue;
        }
        ++of[job.owner];
        if (!job.reads) continue;
        ++reading[job.owner];
        read_by[job.owner].insert(*job.reads);
        job.reads.reset();
    }
    for (const std::uint32_t owner : {0U, 1U}) {
        EXPECT_EQ(read_by[owner].size(), 1U);
        EXPECT_NEAR(static_cast<double>(reading[owner]) / of[owner], 0.3, 0.1);
    }
    EXPECT_EQ(jobs, generate_converged(two).value());
}

TEST(ConvergedModel, SaysWhereNobodyOwnsAnything) {
    const auto none = generate_converged({.owners = {{"lab", 0, true}}});
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().message, "no organisation owns a chip, so nobody asks for anything");
}

}  // namespace
}  // namespace weir::sim
