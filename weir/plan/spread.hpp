// How chips that hold the same layers share the work on a micro-batch, once tp, cp, micro-batch and
// precision are chosen: sequence parallelism, and experts by ep and etp. Each way is known by what
// a layer takes at least, so that a search over several kinds of chip can leave out the ways,
// layers and sequences that cannot win before it asks for a prediction.
//
// Threads: one thread owns the cache.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <tuple>
#include <vector>

#include "weir/plan/search.hpp"
#include "weir/plan/training.hpp"

namespace weir::plan {

struct Spread {
    bool sequence_parallel = false;
    std::uint32_t ep = 1;
    std::uint32_t etp = 0;
    bool deepep = false;
    // Seconds of a layer, forward and backward, at least, whatever hides behind what. Where a model
    // has layers of one kind only, both are theirs.
    double dense_s = 0;
    double moe_s = 0;
    // The same of what the fuller end of a pipeline has beside its layers.
    double end_s = 0;
    // What makes a prediction of it; nullptr = nobody asked yet.
    std::unique_ptr<TrainingModel::Layers> layers{};

    [[nodiscard]] double quicker_s() const { return dense_s < moe_s ? dense_s : moe_s; }
    // Of a layer on average, where this share of them has experts.
    [[nodiscard]] double layer_s(double moe_share) const {
        return (1 - moe_share) * dense_s + moe_share * moe_s;
    }
    [[nodiscard]] Strategy of(Strategy s) const {
        s.sequence_parallel = sequence_parallel;
        s.ep = ep;
        s.etp = etp;
        s.deepep = deepep;
        return s;
    }
};

class Spreads {
public:
    Spreads(const TrainingJob& job, const Machine& machine, const SearchOptions& options)
        : model_(job, machine), options_(options) {}

    // Of `s.precision`, tp, cp and micro-batch, the quickest layer first. ep_fits() is for the
    // caller, who knows dp.
    std::vector<Spread>& of(const Strategy& s);

    // `spread` is one of those of `s`.
    const TrainingModel::Layers& layers(const Strategy& s, Spread& spread) const;

private:
    TrainingModel model_;
    const SearchOptions& options_;
    std::map<std::tuple<Precision, std::uint32_t, std::uint32_t, std::uint32_t>,
             std::vector<Spread>>
        known_;
};

}  // namespace weir::plan
