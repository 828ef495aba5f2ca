/* Instructions of every encoding of x86-64, for the length decoder. The truth is objdump's. */
	.intel_syntax noprefix
	.text
	.globl legacy
	.type legacy, @function
legacy:
	endbr64
	push rbp
	movabs rax, 0x1122334455667788
	movabs al, [0x1122334455667788]
	mov ax, 0x1234
	mov word ptr [rip + 4], 0x1234
	mov qword ptr [rax + rbx*8 + 0x1234], 0x12345678
	lock cmpxchg16b [rdi]
	test byte ptr [rsp + 8], 1
	test eax, 0x10
	test word ptr [rbp], 0x1234
	not qword ptr [r13]
	enter 16, 0
	imul r8, [r12 + 4], 1000
	imul r8, r9, 10
	pshufb xmm1, [rax]
	aesenc xmm1, xmm2
	sha256rnds2 xmm1, xmm2
	pclmulqdq xmm1, xmm2, 0x11
	crc32 eax, byte ptr [rsi]
	extrq xmm1, 4, 5
	xbegin 1f
1:	xabort 3
	xend
	nop word ptr cs:[rax + rax]
	data16 nop
	bnd jmp 2f
2:	rep movsb
	jrcxz 2b
	ud2
	ret 16
	.size legacy, .-legacy
	.globl vex
	.type vex, @function
vex:
	vaddps ymm0, ymm1, ymm2
	vmovdqu ymm0, [rdi + rsi*4 + 0x100]
	vpermq ymm0, ymm1, 0x1b
	vpshufd xmm0, [rip + 100], 0x1b
	vpgatherdd xmm0, [rdi + xmm1*4 + 0x10], xmm2
	vfmadd231pd ymm0, ymm9, [r8]
	vpblendvb ymm0, ymm1, ymm2, ymm3
	vpsrldq xmm1, xmm2, 4
	vcmpps ymm0, ymm1, ymm2, 3
	vpextrb [rdi], xmm0, 4
	kmovq k1, rax
	rorx rax, rbx, 7
	andn eax, ebx, ecx
	blsr rax, rbx
	vzeroupper
	ret
	.size vex, .-vex
	.globl evex
	.type evex, @function
evex:
	vaddps zmm0 {k1}{z}, zmm1, zmm2
	vmovdqu64 zmm0, [rdi + 0x40]
	vmovdqu64 zmm16, [rdi + rsi*8 + 0x1234]
	vpternlogd zmm0, zmm1, [rax]{1to16}, 0x96
	vpermb zmm0, zmm1, zmm2
	vpcmpeqb k1, zmm0, [rip + 4]
	vpshufd zmm3, zmm4, 0x1b
	vaddph zmm0, zmm1, zmm2
	vfmadd132ph zmm0, zmm1, zmm2
	vscatterdps [rdi + zmm1*4]{k1}, zmm2
	ret
	.size evex, .-evex
	.globl xop
	.type xop, @function
xop:
	vprotd xmm0, xmm1, 16
	vprotd xmm0, xmm1, xmm2
	vpcmov xmm0, xmm1, xmm2, xmm3
	pop rax
	pop qword ptr [rdi]
	ret
	.size xop, .-xop
	/* Data in the code: not decodable. */
	.globl data
	.type data, @function
data:
	nop
	.byte 0x06, 0x07
	ret
	.size data, .-data
	.section .note.GNU-stack, "", @progbits
