import { IsNumber, IsString } from 'class-validator';

/** What is not one is not handled, but reported. */
export class PriceChanged {
  @IsString() article!: string;
  @IsNumber() price!: number;
}
