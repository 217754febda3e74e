// Who is first of a shape, over all organisations that have a right to start. What is remembered of
// it, and why, is told in first.hpp.
#include <algorithm>
#include <utility>

#include "weir/sched/engine_state.hpp"

namespace weir::sched {
namespace {

// Of so few lines each is looked at; of more those of the organisations that go first.
constexpr std::size_t few_lines = 6;

}  // namespace

// `first` gives slot and rank of the first of a line whose rights are the same at any time, or of
// those who start now. Who does not start now but wants a promise may have its rights later, where
// there are loans; `known` gets until when that holds. Where there are no organisations a
// shape has one line, its own.
template <class First>
Front Engine::State::front_by(std::uint32_t shape,
                              bool starts_now,
                              FirstOfShape& known,
                              First first) {
    const ShapeInfo& info = shapes[shape];
    const std::uint32_t resource = info.kinds.ordered_by;
    const bool lends = quotas.lends();
    Front best;
    ++looks;
    const auto look_at = [&](std::uint32_t number) {
        Line& line = lines[number];
        if (lends && std::exchange(line.looked_in, looks) == looks) return;
        const bool any_time = quotas.are_the_same_at_any_time(line.tenant, info.kinds, told_at);
        // Its place by the rights of now is its best one, unless a loan gives it others later: most
        // come after the best one so far, and then it is all the same what they may do.
        const bool by_now = (any_time || starts_now) && resource != ShapeKinds::no_resource;
        if (by_now && best.found() && best.standing < place_of(line)) return;
        if (!any_time && !starts_now) {
            const FirstOfLine& its = look_ahead_in(number, best);
            known.until = std::min(known.until, its.until);
            if (its.later.found() && (!known.later.found() || its.later.before(known.later)))
                known.later = its.later;
            if (its.front.found() && (!best.found() || its.front.before(best))) best = its.front;
            return;
        }
        Front its;
        if (by_now && !any_time && best.found()) {
            // Who ends early enough comes no earlier in the queue than the first of all.
            first(number, true, its);
            its.standing = place_of(line);
            if (!its.found() || !its.before(best)) return;
            its = {};
        }
        first(number, any_time, its);
        if (!its.found()) return;
        if (by_now) its.standing = place_of(line);
        if (by_now && best.found() && !its.before(best)) return;
        if (by_now && any_time) {
            its.allowed = quotas.allowed(line.tenant, info.kinds);
            if (its.allowed != 0) best = its;
            return;
        }
        judge(line, any_time, starts_now, its);
        if (its.allowed != 0 && (!best.found() || its.before(best))) best = its;
    };
    if (info.lines.size() <= few_lines || resource == ShapeKinds::no_resource) {
        for (const std::uint32_t line : info.lines)
            look_at(line);
        return best;
    }
    // Lines are many and lie scattered: each is asked for some time before it is looked at.
    const std::vector<TenantId>& order = quotas.in_order(resource);
    const auto line_at = [&](std::size_t i) { return info.line_of_tenant[order[i].value]; };
    for (std::size_t i = 0; i < order.size(); ++i) {
        constexpr std::size_t distance = 8;
        if (i + distance < order.size() && line_at(i + distance) != no_line)
            __builtin_prefetch(&lines[line_at(i + distance)]);  // where its place lies
        if (line_at(i) == no_line) continue;
        if (best.found() && best.standing < quotas.floor(order[i], resource)) break;
        look_at(line_at(i));
    }
    if (starts_now || !lends) return best;
    // Who gets a right by a loan has a place then that is not bound to that of now.
    for (const tenancy::Charges& charges : info.kinds.charges) {
        for (const tenancy::Allowance& each : charges) {
            for (const TenantId tenant : quotas.moved_by_loans(each.resource)) {
                const std::uint32_t line = info.line_of_tenant[tenant.value];
                if (line != no_line) look_at(line);
            }
        }
    }
    return best;
}

// Of one kind, by the rights of now.
const tenancy::Standing& Engine::State::place_of(Line& line) const {
    const std::uint64_t moves = quotas.moves_of(line.tenant);
    if (std::exchange(line.placed_at, moves) != moves)
        line.standing = quotas.standing(line.tenant, shapes[line.shape].kinds, every_kind);
    return line.standing;
}

// What whoever is first of the line may do, and its place by that.
void Engine::State::judge(const Line& line, bool any_time, bool starts_now, Front& its) const {
    const ShapeKinds& kinds = shapes[line.shape].kinds;
    if (any_time) {
        its.allowed = quotas.allowed(line.tenant, kinds);
        if (its.allowed != 0) its.standing = quotas.standing(line.tenant, kinds, its.allowed);
        return;
    }
    // Rights differ by limits, and may be yet to come.
    const Job& job = jobs.at(its.slot);
    const Chance chance = starts_now ? Chance{told_at, allowed_for(job)} : first_chance(job);
    its.allowed = chance.allowed;
    if (its.allowed != 0)
        its.standing = quotas.standing(line.tenant, kinds, its.allowed, run_of(job, chance.from));
}

Front Engine::State::front_of(std::uint32_t shape) {
    if (!quotas.any()) {
        Front front;
        front.slot = waiting.first(shape);
        if (front.found()) front.rank = jobs.at(front.slot).rank;
        return front;
    }
    if (shape >= firsts.of_shapes.size()) firsts.of_shapes.resize(shapes.size());
    if (is_front_known(shape)) return firsts.of_shapes[shape].front;
    FirstOfShape known{.until = never};
    known.front = front_by(shape, false, known, [&](std::uint32_t number, bool, Front& its) {
        Line& line = lines[number];
        if (line.front_slot == no_slot) {
            const Queued* const one = waiting_in_line.find(number);
            if (one == nullptr) return;
            line.front_slot = one->slot;
            line.front_rank = one->rank;
        }
        its.slot = line.front_slot;
        its.rank = line.front_rank;
    });
    const ShapeInfo& info = shapes[shape];
    known.joined_or_left = info.joined_or_left;
    known.gains = quotas.gains_of(info.kinds);
    known.version = quotas.version_of(info.kinds);
    firsts.of_shapes[shape] = known;
    return known.front;
}

// Of a line whose rights are others at other times: who is first by its first chance. What is known
// may be better than it is now while others have only taken since then, as long as nobody of the
// line is before the best one by that. Nor is it worse for what others gave back if the first in
// the queue had its right already: its place, and what it owns, are of its own house.
const FirstOfLine& Engine::State::look_ahead_in(std::uint32_t number, const Front& best) {
    Line& line = lines[number];
    const ShapeKinds& kinds = shapes[line.shape].kinds;
    const std::uint64_t gains_now = quotas.gains_of(kinds);
    const std::uint64_t moves_now = quotas.moves_of(line.tenant);
    if (number >= firsts.of_lines.size()) firsts.of_lines.resize(lines.size());
    FirstOfLine& known = firsts.of_lines[number];
    const bool nobody_gained =
        known.gains == gains_now || (known.has_right_now && known.moves == moves_now);
    if (known.changes == line.changes && nobody_gained && told_at < known.until &&
        Quotas::only_gains_help(kinds)) {
        // Somebody else of it, who ends earlier, may have a place that is no better than by the
        // rights of now.
        Front bound{.standing = std::min(known.front.standing, place_of(line)),
                    .rank = line.front_rank};
        // As long as it has its right of now, what it owns later does not count.
        if (known.later.found() && allowed_for(jobs.at(known.later.slot)) == 0)
            bound.standing = std::min(bound.standing, known.later.standing);
        if (!known.front.found() || (best.found() && !bound.before(best))) return known;
    }
    known = {.changes = line.changes, .gains = gains_now, .moves = moves_now};
    Front its;
    Chance chance;
    const auto first = [&](Duration limit) {
        const Queued* const one = waiting_in_line.find(number, limit);
        chance = {};
        if (one == nullptr) return;
        its.slot = one->slot;
        its.rank = one->rank;
        known.until = std::min(known.until, quotas.next_border(one->limit, told_at));
        chance = first_chance(jobs.at(one->slot));
    };
    first(Duration::max());
    line.front_slot = its.slot;
    line.front_rank = its.rank;
    known.has_right_now = chance.allowed != 0 && chance.from <= told_at;
    if (known.has_right_now && quotas.may_own(line.tenant, kinds)) {
        const Job& job = jobs.at(its.slot);
        if (const Ownership own = ownership_of(job); own.kinds != 0) {
            known.later = its;
            known.later.standing =
                quotas.standing(line.tenant, kinds, own.kinds, run_of(job, own.from));
        }
    }
    if (its.found() && chance.allowed == 0) first(longest_now(line));
    if (chance.allowed == 0) return known;
    its.allowed = chance.allowed;
    its.standing =
        quotas.standing(line.tenant, kinds, its.allowed, run_of(jobs.at(its.slot), chance.from));
    known.front = its;
    return known;
}

// While others only start or are promised something, all go back in the order and lose rights: then
// the first one stays the first if it is where it was.
bool Engine::State::is_front_known(std::uint32_t shape) {
    const ShapeInfo& info = shapes[shape];
    FirstOfShape& known = firsts.of_shapes[shape];
    if (known.joined_or_left != info.joined_or_left || told_at >= known.until) return false;
    const std::uint64_t version = quotas.version_of(info.kinds);
    if (known.version == version) return true;
    if (!Quotas::only_gains_help(info.kinds) || known.gains != quotas.gains_of(info.kinds))
        return false;
    Front& front = known.front;
    if (known.later.found() && (!front.found() || known.later.before(front))) return false;
    if (front.found()) {
        const Line& line = lines[jobs.at(front.slot).line];
        Front again = front;
        judge(
            line, quotas.are_the_same_at_any_time(line.tenant, info.kinds, told_at), false, again);
        if (again.allowed == 0 || again.standing != front.standing) return false;
        front.allowed = again.allowed;
    }
    known.version = version;
    return true;
}

namespace {

Duration until(Time from, Time now) {
    return from == Time::max() ? Duration::max() : from - now;
}

}  // namespace

// Its place if it starts now.
tenancy::Standing Engine::State::standing_of(const Job& job, KindSet allowed) const {
    const ShapeKinds& kinds = shapes[job.shape].kinds;
    return quotas.lends() ? quotas.standing(job.tenant, kinds, allowed, run_of(job, told_at))
                          : quotas.standing(job.tenant, kinds, allowed);
}

// Where there are loans: only with a limit below this may one of the line start now.
Duration Engine::State::longest_now(const Line& line) const {
    const Time last = quotas.last_end(line.tenant, shapes[line.shape].kinds, told_at);
    return last == never ? Duration::max() : last - told_at + Duration{1};
}

// The first to overtake, by the order of the queue alone, of those of whom it is not known that
// they do not fit now.
Front Engine::State::first_untried(std::uint32_t shape, Time now) const {
    const bool own_order = policy.prediction == Prediction::history;
    const Time blocked = shapes[shape].blocked_from;
    Front front;
    if (blocked <= now) return front;
    const Queued* const first = (own_order ? overtaking : waiting).find(shape, until(blocked, now));
    if (first == nullptr) return front;
    front.slot = first->slot;
    front.rank = first->rank;
    return front;
}

// And by rights.
Front Engine::State::front_of_untried(std::uint32_t shape, Time now) {
    if (!quotas.any()) return first_untried(shape, now);
    const bool own_order = policy.prediction == Prediction::history;
    const Time blocked = shapes[shape].blocked_from;
    if (blocked <= now) return {};
    const Waiting& order = own_order ? overtaking_in_line : waiting_in_line;
    FirstOfShape unused;
    return front_by(shape, true, unused, [&](std::uint32_t number, bool any_time, Front& its) {
        Line& line = lines[number];
        const Time from =
            line.blocked_in == passes ? std::min(blocked, line.blocked_from) : blocked;
        Duration limit = until(from, now);
        if (!any_time) limit = std::min(limit, longest_now(line));
        if (limit <= line.nobody_below) return;
        if (limit > line.first_below || line.first_limit >= limit) {
            const Queued* const one = order.find(number, limit);
            if (one == nullptr) {
                line.nobody_below = limit;
                return;
            }
            line.first_slot = one->slot;
            line.first_rank = one->rank;
            line.first_limit = one->limit;
            line.first_below = limit;
        }
        its.slot = line.first_slot;
        its.rank = line.first_rank;
    });
}

}  // namespace weir::sched
