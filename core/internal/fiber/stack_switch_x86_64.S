// The switch for x86-64 and the System V calling convention.
//
// A parked context, from its `saved` upwards: MXCSR and the x87 control word (4 bytes each), R12,
// R13, R14, R15, RBX, RBP, return address.  Debuggers and dumps may rely on it.
//
// Three things make it fast.
//
// Nothing is left to do after the switch, so a function that calls it last makes a tail call.  The
// return from here is then the only one: straight to the code that parked the other context.
//
// That return is a RET if both contexts were parked from the same call site: then the processor's
// stack of predicted returns fits, and stays in step with the calls around it.  Any other RET would
// be mispredicted; a jump through a register is predicted from its history.
//
// Control words are loaded only if they differ: loading them waits for the pipeline.
//
// In assembly language, and not within C++, because of what -fcf-protection makes a compiler claim
// for its objects.  Jumps here are good with indirect branch tracking: nothing enters these
// functions but direct calls, and the jump back is to a call site, hence `notrack`.  A processor's
// shadow stack, though, would take every return on another stack for an attack.  So the note at the
// end does not claim it, and what the library is linked into runs without.

  .text
  .p2align 4
  .globl asyncio_switch_context
  .hidden asyncio_switch_context
  .type asyncio_switch_context, @function
asyncio_switch_context:
  .cfi_startproc
  pushq %rbp
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset %rbp, 0
  pushq %rbx
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset %rbx, 0
  pushq %r15
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset %r15, 0
  pushq %r14
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset %r14, 0
  pushq %r13
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset %r13, 0
  pushq %r12
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset %r12, 0
  subq $8, %rsp
  .cfi_adjust_cfa_offset 8
  stmxcsr (%rsp)
  fnstcw 4(%rsp)
  movq %rsp, (%rdi)
  movq %rsp, %rax
  movq %rsi, %rsp
  movl (%rsp), %ecx
  cmpl (%rax), %ecx
  jne 2f
  movzwl 4(%rsp), %ecx
  cmpw 4(%rax), %cx
  jne 2f
  .cfi_remember_state
1:
  addq $8, %rsp
  .cfi_adjust_cfa_offset -8
  popq %r12
  .cfi_adjust_cfa_offset -8
  .cfi_restore %r12
  popq %r13
  .cfi_adjust_cfa_offset -8
  .cfi_restore %r13
  popq %r14
  .cfi_adjust_cfa_offset -8
  .cfi_restore %r14
  popq %r15
  .cfi_adjust_cfa_offset -8
  .cfi_restore %r15
  popq %rbx
  .cfi_adjust_cfa_offset -8
  .cfi_restore %rbx
  popq %rbp
  .cfi_adjust_cfa_offset -8
  .cfi_restore %rbp
  movq (%rsp), %rcx
  cmpq 56(%rax), %rcx
  jne 3f
  ret
3:
  addq $8, %rsp
  .cfi_adjust_cfa_offset -8
  .cfi_register %rip, %rcx
  notrack jmp *%rcx
2:
  .cfi_restore_state
  ldmxcsr (%rsp)
  fldcw 4(%rsp)
  jmp 1b
  .cfi_endproc
  .size asyncio_switch_context, . - asyncio_switch_context

// During the call the frame is the parked one, for unwinders too.  The call preserves every
// register of ours but the ones pushed here.
  .p2align 4
  .globl asyncio_call_on_context
  .hidden asyncio_call_on_context
  .type asyncio_call_on_context, @function
asyncio_call_on_context:
  .cfi_startproc
  pushq %rbx
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset %rbx, 0
  movq %rsp, %rbx
  .cfi_remember_state
  movq (%rdi), %rsp
  .cfi_def_cfa_offset 64
  .cfi_rel_offset %r12, 8
  .cfi_rel_offset %r13, 16
  .cfi_rel_offset %r14, 24
  .cfi_rel_offset %r15, 32
  .cfi_rel_offset %rbx, 40
  .cfi_rel_offset %rbp, 48
  movq %rdx, %rdi
  call *%rsi
  movq %rbx, %rsp
  .cfi_restore_state
  popq %rbx
  .cfi_adjust_cfa_offset -8
  .cfi_restore %rbx
  ret
  .cfi_endproc
  .size asyncio_call_on_context, . - asyncio_call_on_context

  .p2align 4
  .globl asyncio_begin_context
  .hidden asyncio_begin_context
  .type asyncio_begin_context, @function
asyncio_begin_context:
  .cfi_startproc
  .cfi_undefined %rip  // nobody called: unwinders, debuggers and profilers stop here
  nop                  // they look one byte before the return address
  call *%rbx
  ud2
  .cfi_endproc
  .size asyncio_begin_context, . - asyncio_begin_context

#if defined(__CET__) && (__CET__ & 1) != 0
  .section .note.gnu.property, "a", @note
  .p2align 3
  .long 4           // bytes of the name
  .long 16          // bytes of the property
  .long 5           // NT_GNU_PROPERTY_TYPE_0
  .string "GNU"
  .long 0xc0000002  // GNU_PROPERTY_X86_FEATURE_1_AND
  .long 4           // bytes of its value
  .long 1           // indirect branch tracking, no shadow stack
  .long 0           // padding
#endif
  .section .note.GNU-stack, "", @progbits
