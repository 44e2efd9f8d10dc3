// Waiting for signals inside a task.
#pragma once

#include <csignal>  // the names of the signals, for callers
#include <initializer_list>

#include <asyncio/core/export.h>

namespace asyncio {

/// Suspends until one of these signals arrives, and returns its number.
///
/// This loop handles the signals only while the call lasts; before and after, they have their
/// former disposition.  A program that must not miss one between two calls keeps a handler with
/// EventLoop::add_signal_handler.
/// Suspends: always.  Cancels: Cancelled; the dispositions are back.
/// Throws: std::invalid_argument for an empty list or a number that is not a signal;
/// InvalidStateError if another loop has one of them; NotInTaskError.
ASYNCIO_API int wait_signal(std::initializer_list<int> signals);

}  // namespace asyncio
