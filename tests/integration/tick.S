# SPDX-License-Identifier: Apache-2.0
# A guest of 512 bytes: prints READY to the first serial port, then ten times a second counts, and
# writes the count, all over the sector, first to sector 1 and then to the disk's last one. So in a
# copy of one instant sector 1 is at most one ahead, and never behind.
.code16
.globl _start
_start:
    cli
    xor %ax, %ax
    mov %ax, %ds
    mov %ax, %es
    mov %ax, %ss
    mov $0x7c00, %sp
    sti
    mov %dl, drive
    mov $greeting, %si
1:  lodsb
    test %al, %al
    jz count
    call print
    jmp 1b

count:
    incl counter
    mov counter, %eax
    mov $sector, %di
    mov $128, %cx
    cld
    rep stosl
    movl $1, block
    call store
    movl $LAST, block
    call store
    mov $'.', %al
    call print
    mov $0x8600, %ax            # wait cx:dx microseconds
    mov $1, %cx
    mov $0x86a0, %dx
    int $0x15
    jmp count

store:
    mov $0x4300, %ax
    mov drive, %dl
    mov $packet, %si
    int $0x13
    jnc 2f
    mov $'E', %al
    call print
2:  ret

print:
    mov $0x3f8, %dx
    out %al, %dx
    ret

.set sector, 0x7e00
greeting: .asciz "READY\n"
drive: .byte 0
.align 4
counter: .long 0
packet: .byte 16, 0
    .word 1, sector, 0
block: .long 0, 0
.org 510
.word 0xaa55
