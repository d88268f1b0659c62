// What fitQ4AVX2 looks up, the same in both halves of a register.

// In each range of eight integers, by bits 3 to 6 of negative ones and of others: the last integer of the
// first code that is nearest to any of them, 127 if there is no other, and that code.
DATA lastNegative<>+0(SB)/8, $0x7fb67fa27f7f8c7f
DATA lastNegative<>+8(SB)/8, $0xfbf07fe37fd67f7f
DATA lastNegative<>+16(SB)/8, $0x7fb67fa27f7f8c7f
DATA lastNegative<>+24(SB)/8, $0xfbf07fe37fd67f7f
GLOBL lastNegative<>(SB), RODATA|NOPTR, $32

DATA last<>+0(SB)/8, $0x3d7f2d7f7f137f7f
DATA last<>+8(SB)/8, $0x7f7f7f657f7f7f7f
DATA last<>+16(SB)/8, $0x3d7f2d7f7f137f7f
DATA last<>+24(SB)/8, $0x7f7f7f657f7f7f7f
GLOBL last<>(SB), RODATA|NOPTR, $32

DATA codeNegative<>+0(SB)/8, $0x0302020101010000
DATA codeNegative<>+8(SB)/8, $0x0706060505040403
DATA codeNegative<>+16(SB)/8, $0x0302020101010000
DATA codeNegative<>+24(SB)/8, $0x0706060505040403
GLOBL codeNegative<>(SB), RODATA|NOPTR, $32

DATA code<>+0(SB)/8, $0x0c0c0b0b0a090908
DATA code<>+8(SB)/8, $0x0f0f0f0e0e0e0d0d
DATA code<>+16(SB)/8, $0x0c0c0b0b0a090908
DATA code<>+24(SB)/8, $0x0f0f0f0e0e0e0d0d
GLOBL code<>(SB), RODATA|NOPTR, $32

// The levels of the codes.
DATA levels<>+0(SB)/8, $0xf6eaddcfbfad9881
DATA levels<>+8(SB)/8, $0x7159453526190d01
DATA levels<>+16(SB)/8, $0xf6eaddcfbfad9881
DATA levels<>+24(SB)/8, $0x7159453526190d01
GLOBL levels<>(SB), RODATA|NOPTR, $32

// The bytes of one column of four to the upper ones of four doublewords.
DATA column0<>+0(SB)/8, $0x0180808000808080
DATA column0<>+8(SB)/8, $0x0380808002808080
DATA column0<>+16(SB)/8, $0x0180808000808080
DATA column0<>+24(SB)/8, $0x0380808002808080
GLOBL column0<>(SB), RODATA|NOPTR, $32

DATA column1<>+0(SB)/8, $0x0580808004808080
DATA column1<>+8(SB)/8, $0x0780808006808080
DATA column1<>+16(SB)/8, $0x0580808004808080
DATA column1<>+24(SB)/8, $0x0780808006808080
GLOBL column1<>(SB), RODATA|NOPTR, $32

DATA column2<>+0(SB)/8, $0x0980808008808080
DATA column2<>+8(SB)/8, $0x0b8080800a808080
DATA column2<>+16(SB)/8, $0x0980808008808080
DATA column2<>+24(SB)/8, $0x0b8080800a808080
GLOBL column2<>(SB), RODATA|NOPTR, $32

DATA column3<>+0(SB)/8, $0x0d8080800c808080
DATA column3<>+8(SB)/8, $0x0f8080800e808080
DATA column3<>+16(SB)/8, $0x0d8080800c808080
DATA column3<>+24(SB)/8, $0x0f8080800e808080
GLOBL column3<>(SB), RODATA|NOPTR, $32

// Four columns of four rows to four rows of four columns.
DATA rows<>+0(SB)/8, $0x0d0905010c080400
DATA rows<>+8(SB)/8, $0x0f0b07030e0a0602
DATA rows<>+16(SB)/8, $0x0d0905010c080400
DATA rows<>+24(SB)/8, $0x0f0b07030e0a0602
GLOBL rows<>(SB), RODATA|NOPTR, $32

// Four bits of each byte.
DATA low<>+0(SB)/8, $0x0f0f0f0f0f0f0f0f
DATA low<>+8(SB)/8, $0x0f0f0f0f0f0f0f0f
DATA low<>+16(SB)/8, $0x0f0f0f0f0f0f0f0f
DATA low<>+24(SB)/8, $0x0f0f0f0f0f0f0f0f
GLOBL low<>(SB), RODATA|NOPTR, $32
