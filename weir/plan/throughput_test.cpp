#include "weir/plan/throughput.hpp"

#include <gtest/gtest.h>

#include "weir/catalog/catalog.hpp"

namespace weir::plan {
namespace {

TrainingJob llama() {
    return {.model = *catalog::find_model("llama-3-8b"), .sequence = 4096, .global_batch = 64};
}
Machine a100() {
    return *machine_of(*catalog::Catalog::built_in().find("a100-sxm-80g"));
}

TEST(Throughput, IsThatOfTheBestPlan) {
    Throughput throughput;
    const auto subject = throughput.subject(llama(), a100());
    SearchOptions options;
    options.chips = 16;
    const auto found = search(TrainingModel(llama(), a100()), options);
    EXPECT_EQ(throughput.tokens_per_s(subject, 16), found->plans.front().prediction.tokens_per_s);
    EXPECT_EQ(throughput.best(subject, 16)->strategy, found->plans.front().strategy);
}

TEST(Throughput, IsSearchedForOnce) {
    Throughput throughput;
    for (int i = 0; i < 3; ++i) {
        const auto subject = throughput.subject(llama(), a100());
        EXPECT_GT(throughput.tokens_per_s(subject, 8), 0);
        EXPECT_EQ(throughput.tokens_per_s(subject, 37), 0) << "no degrees make 37";
    }
    EXPECT_EQ(throughput.searches(), 2U);
}

TEST(Throughput, TellsJobsMachinesAndOptionsApart) {
    Throughput throughput;
    const auto one = throughput.subject(llama(), a100());
    TrainingJob longer = llama();
    longer.sequence *= 2;
    Machine slower = a100();
    slower.between.bytes_per_s /= 2;
    SearchOptions narrow;
    narrow.tp = {1, 1};
    EXPECT_NE(throughput.subject(longer, a100()), one);
    EXPECT_NE(throughput.subject(llama(), slower), one);
    EXPECT_NE(throughput.subject(llama(), a100(), narrow), one);
    EXPECT_EQ(throughput.subject(llama(), a100()), one);
}

TEST(Throughput, NeverFallsWithMoreChipsWhereSomeMayStayIdle) {
    double before = 0;
    for (std::uint64_t chips = 1; chips <= 40; ++chips) {
        const double now = throughput(llama(), a100(), chips);
        EXPECT_GE(now, before) << chips << " chips";
        before = now;
    }
    EXPECT_GT(before, 0);
}

}  // namespace
}  // namespace weir::plan
