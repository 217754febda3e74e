#include "weir/plan/model_counts.hpp"

#include <gtest/gtest.h>

namespace weir::plan {
namespace {

TEST(ModelCounts, AgreeWithPublishedTotals) {
    const auto total = [](const char* name) {
        return count_parameters(*catalog::find_model(name)).total;
    };
    EXPECT_EQ(total("llama-2-7b"), 6738415616);
    EXPECT_EQ(total("llama-3-8b"), 8030261248);
    EXPECT_EQ(total("llama-3.1-405b"), 405853388800);
    EXPECT_NEAR(total("deepseek-v3"), 671.026e9, 1e6);
}

}  // namespace
}  // namespace weir::plan
