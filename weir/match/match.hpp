// Match: which chips can serve a job, how fast and by which way, or why not.
//
// Three pure functions, each from facts to facts. contract_of() says what a job demands of a chip;
// match_chip() holds one kind of chip against it; offers_of() does so for every pool of a fleet,
// matching each kind once, and puts the pools in an order of preference.
//
// *The contract.* A phase of the work is served natively by units of its format, or of one that
// holds it (format.hpp): never of a lower one. Where the catalogue says that a chip has no units of
// the format itself, a wider one does not stand in: the program would ask for what is not there.
// What the catalogue does not know is not promised. Any other way has to be accepted by name, with
// a grade that the chip's way reaches: an emulation is never assumed welcome. A way that is only
// bounded, or whose grade was shown for a range of exponents, counts only for jobs that declare
// theirs and stay within it; one that does not keep IEEE's special values counts only where they
// are not required. A tolerance of the result, or of its backward error, is held against the digits
// of a way: a pair of FP32 numbers has 46 bits and the exponents of FP32, and no more. Refinement
// promises a small backward error and no other. The processors of a node (`host`) take over what a
// chip leaves of a job that accepts emulation or refinement, if at least half of its work is matrix
// products that the chip does in such a way.
//
// *The word that counts.* Each operation has classes whose rates count for it, the nearest first: a
// product of matrices is done by units for such products, or by general ones. A way is known by the
// nearest class of which the catalogue has any rate of it, and there each of its methods by the
// last word: the best founded rate that names the method or none at all, among equals the newest,
// and then the one that was added last. So what was measured replaces what was published, and
// `none` takes the way out. Where INT8 products were found inexact, nothing that is built on them
// counts. A job that says only the format of its results is served by units of any class.
//
// *The time* of a phase is a roofline over the ways x that may serve it (per chip, F and B divided
// by the chips of the gang):
//
//     t = min over x of  max(a F / R, b B / BW) + g
//
// clang-format off
//     native     a = 1,  b = 1                  R of the catalogue, by the size of the matrices
//     emulated   a = 1,  b = its memory factor  R of all its work; not measured: emulation.hpp
//     pair       a = 15, b = 1                  R of the format of half the digits
//     refined    a = 1,  b = 1                  R of FP32 products, g = 5 sweeps over the matrix
//     quantised  a = 1,  b = bytes of the format over those asked
//     host       a = 1,  b = 1                  R and BW of the processors
// clang-format on
//
// R and BW count in plans by what their basis is worth (discount_of()): 2.25 PFLOP/s on a vendor's
// sheet are planned as 1.13. The basis of an offer is the weakest of the numbers that decided it.
//
// *The order.* What `chips.any_of` names comes in that order, for the user said so. Among the rest
//
//     score = chips x time x v x (1 + s * f * u)
//
// and the least comes first. v is the price of a chip-second, or 1 unless every pool that serves
// has one in the same currency. The bracket is the opportunity: f in [0, 1] is the chip's native
// FP64 rate over the best of the fleet, s the chips of the fleet without full precision for each
// with it (sum of 1 - f over sum of f), and u the share of the time in which the job does not want
// FP64. So where FP64 is scarce, work that needs none goes elsewhere first, and a fleet where every
// chip has it knows no such cost. Pools whose time is not known come after those where it is. A job
// that demands nothing of its chips keeps the order of the fleet, and so do ties.
//
// Threads: pure functions. Cost: offers_of() is linear in the pools; match_bench.cpp keeps watch.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weir/base/id.hpp"
#include "weir/base/money.hpp"
#include "weir/base/time.hpp"
#include "weir/base/units.hpp"
#include "weir/catalog/catalog.hpp"
#include "weir/fleet/fleet.hpp"
#include "weir/job/job.hpp"

namespace weir::match {

// Why a chip or a pool does not serve. New ones go to the end: they are written to JSON by name.
enum class Why : std::uint8_t {
    not_listed,     // chips.any_of does not name it
    other_site,     // `sites` does not name its site
    no_chips,       // its nodes have no chips, or processors where the job asked for GPUs
    unknown_chip,   // the catalogue does not know it
    other_stack,    // it runs other software
    stack_unknown,  // it is not known what it runs
    too_little_memory,
    memory_unknown,
    no_units,        // it has none for this format and operation
    units_unknown,   // whether it has is not known
    not_accepted,    // a way would serve that the job does not accept
    grade_too_low,   // the accepted way does not reach the accepted grade here
    range_unknown,   // a bounded way, and the job does not say how its exponents spread
    range_too_wide,  // or they spread too far
    specials,        // not every special value of IEEE behaves by this way
    tolerance,       // the way has fewer digits than the tolerance asks for
    one_kind,        // reproducible: bitwise keeps the job to another kind of chip
    too_few_chips,   // of one node, for one replica
    too_few_cpus,
    too_little_node_memory,
    too_few_nodes,  // of the pool, for the whole gang
    inexact,        // the INT8 products that the way is built on are not exact here
    never_fits,     // it would never hold the gang, even empty; `other` says what it offers
};
std::string_view name_of(Why why);

// As data; sentence_of() says it. What does not belong to the reason keeps its default.
struct Reason {
    Why why = Why::unknown_chip;
    std::string phase{};  // the phase that is not served
    catalog::Op op = catalog::Op::other;
    catalog::Format format = catalog::Format::fp64;
    catalog::Way way = catalog::Way::native;
    catalog::Grade grade = catalog::Grade::strict;  // that the way has
    std::int64_t asked = 0;                         // bytes, chips, milli-CPUs, nodes, bits
    std::int64_t has = 0;
    std::string other{};  // the chip, stack or kind that matters

    friend bool operator==(const Reason&, const Reason&) = default;
};
// "phase update wants fp64 (vector), and the chip has no such units".
std::string sentence_of(const Reason& reason);

// What a job demands of every chip that serves it.
struct Contract {
    struct Demand {
        std::string name;
        catalog::Op op = catalog::Op::other;
        catalog::Format format = catalog::Format::fp64;
        double storage_share = 1;  // bytes in memory over those of the format
        double flops = 0;          // of one chip
        double bytes = 0;
        std::uint64_t dim = 0;  // 0 = not said
    };
    std::vector<Demand> phases;  // none: nothing is said about precision
    bool has_work = false;       // flops and bytes are known, so times can be predicted
    bool any_units = false;      // only the answer's format is said: units of any kind will do
    std::vector<job::Accept> accept{job::Accept{}};
    std::optional<std::uint32_t> range_bits;
    std::optional<job::Tolerance> tolerance;
    bool specials = false;  // required
    bool one_kind = false;  // for reproducibility
    std::vector<std::string> stack;
    Bytes memory;          // of each chip
    bool on_chips = true;  // it asks for chips at all
    // Whatever comes nearest is taken: any way, the better graded first, a wider format even where
    // there are no units of its own, and a lower one where nothing else is.
    bool degraded = false;

    // Nothing is asked of the kind of chip, so nobody needs to know it.
    [[nodiscard]] bool empty() const {
        return !on_chips || (phases.empty() && stack.empty() && memory.count == 0);
    }
};
Contract contract_of(const job::JobSpec& spec);
// The same work with nothing demanded of its precision.
Contract degraded(Contract contract);

struct PhaseOffer {
    std::string name;
    catalog::Op op = catalog::Op::other;
    catalog::Format asked = catalog::Format::fp64;
    catalog::Format format = catalog::Format::fp64;  // in which it is computed
    catalog::Way way = catalog::Way::native;
    std::string method;
    catalog::Grade grade = catalog::Grade::strict;
    std::optional<std::uint32_t> range_bits{};  // up to which the grade holds; none = any
    double rate = 0;       // as the catalogue has it, after a: FLOP/s of one chip
    double bandwidth = 0;  // B/s; 0 = not needed
    double memory_factor = 1;
    bool memory_bound = false;
    catalog::Basis basis = catalog::Basis::assumed;  // of the number that decided
    bool timed = false;         // the work is known, and every number that its time needs
    double seconds = 0;         // planned, with the discount of each basis
    double seconds_stated = 0;  // with the numbers as they are stated
};

struct ChipOffer {
    std::vector<PhaseOffer> phases;
    catalog::Basis basis = catalog::Basis::measured;  // the weakest of those that decided
    std::optional<double> seconds;                    // none: not known
    std::optional<double> seconds_stated;
    double memory_factor = 1;
    double fp64_share = 0;  // of the time, in phases that want FP64
};

// An offer, or at least one reason.
struct Match {
    std::optional<ChipOffer> offer;
    std::vector<Reason> against;
};
Match match_chip(const Contract& contract, const catalog::ChipRecord& chip);

// A kind of chip as the pools of a fleet have it.
struct Kind {
    std::string name;                             // "" of pools without chips
    const catalog::ChipRecord* record = nullptr;  // nullptr = not in the catalogue
    Match match;
    double full_precision = 0;  // f of the header
    std::size_t place = 0;      // in chips.any_of
};

struct PoolOffer {
    PoolId pool;
    std::size_t kind = 0;         // in Offers::kinds
    std::vector<Reason> against;  // of the pool itself, beside those of its kind
    std::optional<Money> cost;
    double score = 0;
    bool keeps = false;   // what the job demands of its chips and sites
    bool serves = false;  // and it has room for the gang when it is empty
};

struct Offers {
    std::vector<Kind> kinds;
    std::vector<PoolOffer> pools;  // those that serve in the order of preference, then the others
    // No pool keeps the contract, and the job allows less (`on_unsatisfied: degrade`): these are
    // the nearest that can be had.
    bool degraded = false;

    [[nodiscard]] std::vector<PoolId> keeping() const;
    // One sentence for each kind of chip that does not keep the contract.
    [[nodiscard]] std::vector<std::string> reasons() const;
};

// Lifetime: the records that it points to are the catalogue's.
Offers offers_of(const job::JobSpec& spec,
                 const fleet::Fleet& fleet,
                 const catalog::Catalog& catalog);

// Whether a kind of chip keeps the contract of a job of which only the format of its results is
// known. Requires: the catalogue lives on.
std::function<bool(std::string_view chip, catalog::Format format)> keeps_in(
    const catalog::Catalog& catalog);

// "native", "emulated oz2-int8-15 (certified)", "native in fp32"; several phases that differ are
// named: "gemm emulated …, panel native".
std::string how(const ChipOffer& offer);

// What a program has to find in its environment, so that the vendor's library computes FP64 in the
// way that is offered. An emulation is asked for by name, and one that nobody offered is switched
// off; the library chooses how many slices an answer takes. What a preloaded GEMMul8 reads is said
// too, for offers by residues; to preload it is up to the job. Empty where no FP64 is asked for, or
// no switch of that software is known.
std::map<std::string, std::string> environment_of(const ChipOffer& offer,
                                                  const catalog::ChipRecord& chip);

}  // namespace weir::match
