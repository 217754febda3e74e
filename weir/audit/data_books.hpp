// DataBooks: where datasets lie and what is on its way, worked out from an event log alone.
//
//     books.ordered(copy)             // "" or what is wrong with it
//     books.missing({"era5"}, where)  // likewise, of a start there
//
// Sites are positions in the header. Each question answers with a sentence of what is wrong, or
// nothing.
//
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "weir/audit/log_format.hpp"

namespace weir::audit {

class DataBooks {
public:
    explicit DataBooks(const Header& header);

    [[nodiscard]] std::string ordered(const Copied& copy, Time now);
    [[nodiscard]] std::string arrived(const Arrived& arrived, Time now);
    [[nodiscard]] std::string forgotten(const Forgotten& forgotten);
    // Whoever runs uses its data there.
    void use(const std::vector<std::string>& datasets, const fleet::Placement& on, bool begins);
    // Of a start: which dataset is not where it begins.
    [[nodiscard]] std::string missing(const std::vector<std::string>& datasets,
                                      const fleet::Placement& on) const;

private:
    struct Site {
        std::string name;
        Bytes capacity;          // 0 = not counted
        double bytes_per_s = 0;  // 0 = no limit
        std::set<std::string> whole;
        std::set<std::string> for_good;
        std::map<std::string, Time> coming;  // and when it is expected
        std::map<std::string, std::uint32_t> uses;
    };
    [[nodiscard]] Site& site_of(PoolId pool) { return sites_.at(site_of_pool_.at(pool.value)); }
    [[nodiscard]] const Site& site_of(PoolId pool) const {
        return sites_.at(site_of_pool_.at(pool.value));
    }
    struct Link {
        std::size_t ends[2];
        double bytes_per_s = 0;
        Duration latency{};
        Time free_from[2] = {Time::min(), Time::min()};  // each way
    };
    [[nodiscard]] std::string overfull(const Site& site) const;
    // The links of the copy are its own for so long as it says, and carry it in that time.
    [[nodiscard]] std::string carried(const Copied& copy, Time now);

    std::vector<Site> sites_;
    std::vector<Link> links_;
    std::vector<std::size_t> site_of_pool_;
    std::map<std::string, Bytes> sizes_;
};

}  // namespace weir::audit
