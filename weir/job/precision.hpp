// The contract on precision, and what a job computes: which answer is wanted, which ways to it are
// accepted, and how much work of which kind it is.
//
// Nothing is assumed: without a contract the formats that the phases of the work name are wanted
// natively, and an emulation is used only where the job names it. The rules by which a chip serves
// a contract are in match/match.hpp.
//
// Threads: values and pure functions.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weir/base/time.hpp"
#include "weir/catalog/chip.hpp"

namespace weir::job {

// "emulated>=certified": this way, if it is at least that good.
struct Accept {
    catalog::Way way = catalog::Way::native;
    catalog::Grade least = catalog::Grade::strict;

    friend bool operator==(const Accept&, const Accept&) = default;
};
// Without a grade the usual one of the way: certified of emulated and refined.
std::optional<Accept> accept_from_text(std::string_view text);
std::string accept_text(const Accept& accept);

struct Tolerance {
    std::string metric;  // "" = relative to the result
    double value = 0;

    friend bool operator==(const Tolerance&, const Tolerance&) = default;
};

// Infinities, NaN and subnormals: whoever accepts a way by its grade says enough by that.
enum class Specials : std::uint8_t { by_grade, ignore, required };
// How equal two runs must be; bitwise also across kinds of chip.
enum class Reproducible : std::uint8_t { none, run_to_run, bitwise };
// What to do when no chip of the fleet keeps the contract: wait until there is one; fail at once;
// degrade takes the nearest that can be had, and says so.
enum class Unsatisfied : std::uint8_t { wait, fail, degrade };

std::string_view name_of(Specials specials);
std::string_view name_of(Reproducible reproducible);
std::string_view name_of(Unsatisfied unsatisfied);
std::optional<Specials> specials_from_name(std::string_view name);
std::optional<Reproducible> reproducible_from_name(std::string_view name);
std::optional<Unsatisfied> unsatisfied_from_name(std::string_view name);

struct Precision {
    catalog::Format format = catalog::Format::fp64;  // of the answer
    std::optional<Tolerance> tolerance;
    std::vector<Accept> accept{Accept{}};     // never empty
    std::optional<std::uint32_t> range_bits;  // spread of exponents in a row or column
    Specials specials = Specials::by_grade;
    Reproducible reproducible = Reproducible::none;
    Unsatisfied on_unsatisfied = Unsatisfied::wait;

    friend bool operator==(const Precision&, const Precision&) = default;
};

// One phase of what the whole job computes, over all its chips.
struct Phase {
    std::string name;  // "" = called by its operation
    catalog::Op op = catalog::Op::other;
    double flops = 0;
    double bytes = 0;                        // moved, with numbers stored in `format`
    std::uint64_t dim = 0;                   // of square matrices; 0 = not said
    std::optional<catalog::Format> format;   // none = that of the answer
    std::optional<catalog::Format> storage;  // none = as format; another one scales `bytes`

    friend bool operator==(const Phase&, const Phase&) = default;
};

// What a hub planned for a job on one kind of chip: kept with it, so that it can be said later.
struct Planned {
    std::string chip;
    std::string how;  // "gemm: emulated oz2-int8-15 (certified)"
    catalog::Basis basis = catalog::Basis::assumed;
    std::optional<Duration> time;              // none = not known
    bool degraded = false;                     // below the contract, as the job allows
    std::map<std::string, std::string> env{};  // set where it runs on this chip

    friend bool operator==(const Planned&, const Planned&) = default;
};

}  // namespace weir::job
