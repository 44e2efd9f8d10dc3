// Where the rooms of a loop find each other.  A room that needs another one takes it from here and
// includes only that one's header: this file does not say what the rooms do.  core/DESIGN.md has a
// plan of them.
#pragma once

namespace asyncio {
class EventLoop;
struct LoopOptions;
}  // namespace asyncio

namespace asyncio::detail {

class Ending;
class Failures;
class Guest;
class LoopSlots;
class Memory;
class Reactor;
class Scheduler;
class Signals;
class Tasks;
class Turn;
class Workers;
struct LoopShared;
struct Scope;

struct Rooms {
  EventLoop& face;  ///< the loop as users know it
  const LoopOptions& options;
  Reactor& reactor;      ///< waits for descriptors, deadlines and other threads
  Scheduler& scheduler;  ///< who runs next
  Turn& turn;            ///< the six steps
  Tasks& tasks;          ///< ids and time stamps of tasks
  Memory& memory;        ///< stacks and control blocks
  Failures& failures;    ///< exceptions nobody is there to catch
  Signals& signals;
  Workers& workers;    ///< threads for blocking calls
  LoopShared& shared;  ///< what handles on other threads know of the loop
  LoopSlots& slots;    ///< one value of a type for the whole loop
  Guest& guest;        ///< the loop as a part of somebody else's
  Ending& ending;
  Scope& root;  ///< the scope around every other
};

}  // namespace asyncio::detail
