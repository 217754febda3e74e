// DomainIndex: which rack (or pod) of a pool holds a gang with the least to spare?
//
// The one idea: for each kind of replica that was asked for lately there is a table of how many of
// them every domain holds, sorted into buckets of equal counts. Changes of nodes are only noted in
// a log of domain numbers; a table reads on in the log when it is asked next and counts those
// domains again. So an answer costs what has changed since the last one, and the lowest domain
// with the least to spare is the first of its bucket, however many thousand there are.
//
// Domains in which something is promised hold a number that depends on when the gang ends. They
// are counted as if nothing were promised (never too few) and listed apart.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "weir/fleet/demand.hpp"
#include "weir/fleet/node_set.hpp"

namespace weir::fleet {

// What one kind of replica finds in the domains.
struct DomainCounts {
    struct Bucket {
        std::uint64_t held = 0;
        NodeSet domains;
    };

    ReplicaDemand each;
    std::uint32_t tag = 0;
    std::uint64_t seen = 0;           // how far in the log
    std::uint64_t asked = 0;          // when last, for forgetting the oldest
    std::vector<std::uint64_t> held;  // by domain
    std::vector<Bucket> buckets;      // by count, ascending; no domain of `promised`, none with 0
    NodeSet promised;
    std::uint64_t total = 0;  // of held
};

class DomainIndex {
public:
    // `span` nodes make a domain. Requires: span > 0.
    DomainIndex(std::uint32_t span, std::uint32_t domains) : span_(span), domains_(domains) {}

    [[nodiscard]] std::uint32_t span() const { return span_; }
    [[nodiscard]] std::uint32_t domains() const { return domains_; }

    // Something has changed on these nodes.
    void changed(std::uint32_t first, std::uint32_t count) {
        if (counts_.empty()) return;
        const std::uint32_t last = (first + count - 1) / span_;
        for (std::uint32_t domain = first / span_; domain <= last; ++domain) {
            // Again, unless the last entry says so already and nobody has read it.
            const bool noted =
                !log_.empty() && log_.back() == domain && log_begin_ + log_.size() > read_to_;
            if (!noted) log_.push_back(domain);
        }
        // Who has not read for so long counts everything again.
        if (log_.size() > std::max<std::size_t>(1024, domains_)) {
            log_begin_ += log_.size();
            log_.clear();
        }
    }

    struct Counted {
        std::uint64_t held = 0;
        bool promised = false;
    };
    // The table for this kind of replica, up to date. `prepare(n)` is called when n domains are
    // about to be counted, `count(domain)` gives Counted. Cost: see above; for a new kind, all
    // domains.
    template <class Prepare, class Count>
    const DomainCounts& counts_for(const ReplicaDemand& each,
                                   std::uint32_t tag,
                                   Prepare prepare,
                                   Count count) {
        DomainCounts& counts = entry_for(each, tag);
        counts.asked = ++clock_;
        const std::uint64_t end = log_begin_ + log_.size();
        if (counts.seen < log_begin_) {
            prepare(domains_);
            for (std::uint32_t domain = 0; domain < domains_; ++domain)
                update(counts, domain, count(domain));
        } else if (counts.seen < end) {
            prepare(static_cast<std::uint32_t>(end - counts.seen));
            for (std::uint64_t i = counts.seen; i < end; ++i) {
                const std::uint32_t domain = log_[static_cast<std::size_t>(i - log_begin_)];
                update(counts, domain, count(domain));
            }
        }
        counts.seen = read_to_ = end;
        return counts;
    }

private:
    // Kinds of replica that ask for a rack are few: jobs are whole nodes there, or a few sizes.
    static constexpr std::size_t kinds_max = 32;

    DomainCounts& entry_for(const ReplicaDemand& each, std::uint32_t tag) {
        DomainCounts* oldest = nullptr;
        for (DomainCounts& counts : counts_) {
            if (counts.each == each && counts.tag == tag) return counts;
            if (oldest == nullptr || counts.asked < oldest->asked) oldest = &counts;
        }
        if (counts_.size() < kinds_max) {
            if (counts_.empty()) {  // nobody has kept the log until now
                log_begin_ += log_.size() + 1;
                log_.clear();
            }
            oldest = &counts_.emplace_back();
        }
        *oldest = {.each = each,
                   .tag = tag,
                   .seen = 0,
                   .asked = 0,
                   .held = std::vector<std::uint64_t>(domains_, 0),
                   .buckets = {},
                   .promised = NodeSet(domains_),
                   .total = 0};
        return *oldest;
    }

    void update(DomainCounts& counts, std::uint32_t domain, Counted now) {
        const bool was_promised = counts.promised.contains(domain);
        const std::uint64_t before = counts.held[domain];
        if (before == now.held && was_promised == now.promised) return;
        if (was_promised) {
            counts.promised.remove_run(domain, 1);
        } else if (before > 0) {
            bucket_for(counts, before).remove_run(domain, 1);
        }
        counts.held[domain] = now.held;
        counts.total += now.held - before;
        if (now.promised) {
            counts.promised.add_run(domain, 1);
        } else if (now.held > 0) {
            bucket_for(counts, now.held).add_run(domain, 1);
        }
    }

    NodeSet& bucket_for(DomainCounts& counts, std::uint64_t held) const {
        auto& buckets = counts.buckets;
        const auto by_held = [](const DomainCounts::Bucket& bucket, std::uint64_t wanted) {
            return bucket.held < wanted;
        };
        auto place = std::lower_bound(buckets.begin(), buckets.end(), held, by_held);
        if (place != buckets.end() && place->held == held) return place->domains;
        // A new count: one that no domain has any more makes room, or the list grows.
        if (buckets.size() >= 64) {
            const auto empty = [](const DomainCounts::Bucket& bucket) {
                return bucket.domains.size() == 0;
            };
            buckets.erase(std::remove_if(buckets.begin(), buckets.end(), empty), buckets.end());
            place = std::lower_bound(buckets.begin(), buckets.end(), held, by_held);
        }
        return buckets.insert(place, {held, NodeSet(domains_)})->domains;
    }

    std::uint32_t span_ = 1;
    std::uint32_t domains_ = 0;
    std::vector<DomainCounts> counts_;
    std::vector<std::uint32_t> log_;  // domains that changed
    std::uint64_t log_begin_ = 1;     // number of the first entry of log_
    std::uint64_t read_to_ = 0;       // the furthest that a table has read
    std::uint64_t clock_ = 0;
};

}  // namespace weir::fleet
