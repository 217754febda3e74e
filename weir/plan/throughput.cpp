#include "weir/plan/throughput.hpp"

#include <bit>
#include <utility>

namespace weir::plan {
namespace {

// The numbers of a machine that an answer depends on; its names are no part of it.
void add_link(const Link& link, std::vector<double>& key) {
    key.push_back(link.bytes_per_s);
    key.push_back(link.mesh_peers);
    for (const LinkConstant& constant : link_constants())
        key.push_back(link.calibration.*constant.member);
}

void add_machine(const Machine& m, std::vector<double>& key) {
    const std::initializer_list<double> numbers{m.memory_bytes,
                                                m.memory_bytes_per_s,
                                                m.vector_flops,
                                                1.0 * m.chips_per_node,
                                                m.price_per_chip_hour,
                                                m.chip_watts};
    key.insert(key.end(), numbers);
    key.insert(key.end(), m.peak_flops.begin(), m.peak_flops.end());
    for (const ChipConstant& constant : chip_constants())
        key.push_back(m.chip.*constant.member);
    add_link(m.inside, key);
    add_link(m.between, key);
}

std::uint64_t hash_of(const std::vector<double>& key) {
    // FNV-1a, eight bytes at a time.
    std::uint64_t hash = 14695981039346656037U;
    for (const double number : key)
        hash = (hash ^ std::bit_cast<std::uint64_t>(number)) * 1099511628211U;
    return hash ^ (hash >> 32U);
}

}  // namespace

Throughput::Subject Throughput::subject(const TrainingJob& job,
                                        const Machine& machine,
                                        const SearchOptions& options) {
    key_.clear();
    add_machine(machine, key_);
    const auto is = [&](Subject subject) {
        const Known& known = known_[static_cast<std::size_t>(subject)];
        const TrainingJob& other = known.model.job();
        return known.key == key_ && other.sequence == job.sequence &&
               other.global_batch == job.global_batch &&
               other.document_tokens == job.document_tokens && other.dropout == job.dropout &&
               other.model == job.model && known.options == options;
    };
    if (!known_.empty() && is(latest_)) return latest_;
    const std::uint64_t hash = hash_of(key_) ^ (job.model.hidden + (job.model.layers << 16U)) ^
                               (std::uint64_t{job.global_batch} << 32U) ^ job.sequence;
    const auto [first, last] = subjects_.equal_range(hash);
    for (auto one = first; one != last; ++one) {
        if (is(one->second)) return latest_ = one->second;
    }
    latest_ = static_cast<Subject>(known_.size());
    known_.push_back({key_, TrainingModel(job, machine), options});
    subjects_.emplace(hash, latest_);
    return latest_;
}

const Plan* Throughput::best(Subject subject, std::uint64_t chips) {
    Known& known = known_[static_cast<std::size_t>(subject)];
    const auto [place, is_new] = known.plans.try_emplace(chips);
    if (is_new) {
        SearchOptions options = known.options;
        options.chips = chips;
        options.top_k = 1;
        ++searches_;
        Result<SearchResult> found = search(known.model, options);
        if (found && !found->plans.empty()) place->second = std::move(found->plans.front());
    }
    return place->second ? &*place->second : nullptr;
}

double throughput(const TrainingJob& job, const Machine& machine, std::uint64_t chips) {
    thread_local Throughput known;
    static const SearchOptions usual = [] {
        SearchOptions options;
        options.base.deepep = true;
        options.fewer_chips = true;
        return options;
    }();
    return known.tokens_per_s(known.subject(job, machine, usual), chips);
}

}  // namespace weir::plan
